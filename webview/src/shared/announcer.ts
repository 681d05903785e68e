/** Tells screen readers how a run stands: its start, each quarter of a stage, its end; never every tick. */
import type { Progress } from '../../../server/src/protocol/progress';
import { make } from './dom';
import { Milestones } from './milestones';
import { say } from './rpc';

export class Announcer {
  /** Read aloud, not seen; it lives as long as the page. */
  readonly element = make('span', { class: 'spoken announcer', attributes: { role: 'status' } });
  private milestones: Milestones | undefined;

  /** A run is under way; said once. */
  begin(): void {
    if (this.milestones) return;
    this.milestones = new Milestones();
    this.element.textContent = say('said.started');
  }

  progress(progress: Progress): void {
    this.begin();
    const percent = this.milestones?.next(progress, performance.now());
    if (percent !== undefined)
      this.element.textContent = say('said.progress', say(`stage.${progress.stage}`), percent);
  }

  /** The run is over; `text` says how where nothing else on the page does. */
  end(text = ''): void {
    if (!this.milestones) return;
    this.milestones = undefined;
    this.element.textContent = text;
  }
}
