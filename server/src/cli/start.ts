/** Imported before everything else: whoever interrupts while the program still loads gets the answer of a cancelled one. */
import { catchInterruption } from './interruption';

catchInterruption();
