/** A word on what was just done, over the foot of the page: it moves nothing, is read aloud, and goes by itself. */
import { make } from './dom';

/** Long enough to read a sentence. */
const shownMilliseconds = 8000;

export class Notice {
  readonly element = make('span', { class: 'notice', attributes: { role: 'status' } });
  private timer: number | undefined;

  say(text: string): void {
    window.clearTimeout(this.timer);
    this.element.textContent = text;
    this.timer = window.setTimeout(() => {
      this.element.textContent = '';
    }, shownMilliseconds);
  }
}
