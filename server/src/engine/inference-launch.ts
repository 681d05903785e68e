/** Entry of the forked process: answers Ctrl+C from the first moment on, and loads the program as fast as may be. */
import * as path from 'node:path';
import { loadProgram } from './runtime/program';

// It reaches the whole process group of a terminal; the parent decides what to do and tells us.
process.on('SIGINT', () => {});
loadProgram(path.join(__dirname, 'inference-program.js'));
