/** Entry of the language server: transport from the command line arguments (`--node-ipc` or `--stdio`). */
import { startServer } from './server';

startServer();
