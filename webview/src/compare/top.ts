/** The top of the compare view: what is compared, figures at the output, progress, buttons and banners. */
import type { FromComparePanel } from '../../../server/src/protocol/panel';
import type { Progress } from '../../../server/src/protocol/progress';
import type { CompareView, Verdict } from '../../../server/src/protocol/views';
import { Announcer } from '../shared/announcer';
import { type Child, make, spoken } from '../shared/dom';
import { glyphs, judged, percent, shortBytes } from '../shared/figures';
import { say } from '../shared/rpc';
import { button, progressRing } from '../shared/toolkit';
import { metricText } from './columns';

type Post = (message: FromComparePanel) => void;

export function topFacts(view: CompareView, post: Post): readonly Child[] {
  const name = (text: string, which: 'float' | 'quantized') =>
    make(
      'button',
      {
        class: 'link',
        title: say('openModel'),
        attributes: { type: 'button' },
        onClick: () => post({ type: 'open', which }),
      },
      text,
    );
  return [
    make(
      'h1',
      {},
      name(view.floatName, 'float'),
      make('span', { class: 'quiet' }, ` ${say('against')} `),
      name(view.quantizedName, 'quantized'),
    ),
    make('dl', { id: 'facts' }, ...facts(view)),
  ];
}

function facts(view: CompareView): readonly Child[] {
  const fact = (label: string, title: string | undefined, ...value: readonly Child[]) =>
    make('div', { class: 'fact', title }, make('dt', {}, label), make('dd', {}, ...value));
  const { output, data } = view;
  const metrics = output?.metrics;
  const counts = (['good', 'watch', 'bad'] as const).map((verdict): [Verdict, number] => [
    verdict,
    view.layers.filter((layer) => layer.verdict === verdict).length,
  ]);
  return [
    // While the last layers are on their way there is no figure at the output yet.
    output &&
      (output.sqnr !== null || view.state !== 'running') &&
      fact(say('fact.output'), say('factTitle.output'), judged(output.sqnr)),
    output?.deployed &&
      fact(
        say('fact.deployed'),
        say('factTitle.deployed'),
        judged(output.deployed.sqnr),
        output.deployed.topOneAgreement !== null &&
          say('outputAgreement', percent(output.deployed.topOneAgreement)),
      ),
    output &&
      output.topOneAgreement !== null &&
      fact(say('fact.agreement'), say('factTitle.agreement'), percent(output.topOneAgreement)),
    metrics?.kl !== undefined &&
      metrics.kl !== null &&
      fact(say('fact.kl'), say('factTitle.kl'), `${metricText('kl', metrics.kl)} nat`),
    metrics?.cosine !== undefined &&
      fact(say('metric.cosine'), say('metricTitle.cosine'), metricText('cosine', metrics.cosine)),
    size(view, fact),
    view.layers.length > 0 &&
      fact(
        say('fact.layers'),
        say('factTitle.layers'),
        `${view.layers.length}: `,
        ...counts.flatMap(([verdict, count], index) => [
          index > 0 && ' · ',
          make(
            'span',
            { class: `judged ${verdict}` },
            `${count} `,
            make('span', { class: 'glyph', attributes: { 'aria-hidden': 'true' } }, glyphs[verdict]),
            spoken(say(`verdict.${verdict}`)),
          ),
        ]),
      ),
    data !== null &&
      fact(
        say('fact.data'),
        data.source,
        data.source === 'none' || data.source === 'random'
          ? say('noDataValue', data.samples)
          : say('dataValue', data.source.split(/[/\\]/).at(-1) ?? data.source, data.samples),
      ),
  ];
}

function size(
  { floatBytes, quantizedBytes }: CompareView,
  fact: (label: string, title: string | undefined, ...value: readonly Child[]) => HTMLElement,
): Child {
  if (floatBytes === undefined || quantizedBytes === undefined) return undefined;
  const share = floatBytes > 0 ? ` (${Math.round((100 * quantizedBytes) / floatBytes)} %)` : '';
  return fact(
    say('fact.size'),
    say('factTitle.size', floatBytes.toLocaleString(), quantizedBytes.toLocaleString()),
    `${shortBytes(floatBytes)} → ${shortBytes(quantizedBytes)}${share}`,
  );
}

/** Buttons that make sense now. */
export function toolbar(
  view: CompareView,
  dataIsOpen: boolean,
  chooseData: () => void,
  post: Post,
): HTMLElement {
  const idle = view.state !== 'running' && view.trusted;
  const data = button({
    id: 'choose-data',
    label: say('chooseData'),
    title: say('chooseDataTitle'),
    onClick: chooseData,
  });
  data.element.setAttribute('aria-expanded', String(dataIsOpen));
  data.element.setAttribute('aria-controls', 'data-form');
  const all = [
    idle &&
      button({ id: 'run', label: say('compareAgain'), primary: true, onClick: () => post({ type: 'run' }) }),
    idle && data,
    button({
      id: 'as-text',
      label: say('compareAsText'),
      title: say('compareAsTextTitle'),
      onClick: () => post({ type: 'compare-as-text' }),
    }),
    idle &&
      button({
        id: 'swap',
        label: say('swap'),
        title: say('swapTitle'),
        onClick: () => post({ type: 'swap' }),
      }),
  ];
  return make(
    'div',
    { id: 'toolbar', attributes: { role: 'toolbar', 'aria-label': say('actions') } },
    ...all.map((one) => (one === false ? undefined : one.element)),
  );
}

/** What must be known before the figures are read. */
export function banners(view: CompareView, post: Post): readonly Child[] {
  const all: Child[] = [];
  if (!view.trusted) {
    const manage = button({
      id: 'manage-trust',
      label: say('manageTrust'),
      onClick: () => post({ type: 'manage-trust' }),
    });
    all.push(banner('warning', say('compareRestricted'), manage.element));
  }
  const said = view.trusted ? view.problems : [];
  const kind = view.state === 'failed' ? 'error' : 'warning';
  const [first, ...rest] = said;
  if (first !== undefined) all.push(banner(kind, first));
  if (rest.length > 0) all.push(more(rest));
  if (view.state === 'cancelled')
    all.push(banner('plain', say(view.layers.length > 0 ? 'cancelledPartly' : 'cancelledEarly')));
  if (view.state === 'done' && view.layers.length === 0) all.push(banner('plain', say('nothingToCompare')));
  const { data } = view;
  if (data && view.layers.length > 0 && (data.noData || data.source === 'random'))
    all.push(banner('warning', say('compareNoData')));
  return all;
}

function more(texts: readonly string[]): HTMLElement {
  return make(
    'details',
    { id: 'problems' },
    make('summary', {}, say('moreProblems', texts.length)),
    make('ul', {}, ...texts.map((text) => make('li', {}, text))),
  );
}

function banner(kind: 'plain' | 'warning' | 'error', text: string, ...others: readonly Child[]): HTMLElement {
  const role = kind === 'plain' ? 'status' : 'alert';
  const prefix = kind === 'plain' ? undefined : spoken(say(`banner.${kind}`));
  return make(
    'div',
    { class: `banner ${kind}`, attributes: { role } },
    prefix,
    make('span', {}, text),
    ...others,
  );
}

/** Progress in real units with Cancel; one element that lives as long as the page, so that nothing flickers. */
export class LiveProgress {
  readonly element: HTMLElement;
  private readonly bar = make('progress', {
    id: 'progress-bar',
    attributes: { 'aria-label': say('progress') },
  });
  private readonly text = make('span', { id: 'progress-text' });
  private readonly announcer = new Announcer();
  private readonly cancel = button({ id: 'cancel', label: say('cancel'), onClick: () => this.cancelNow() });

  constructor(private readonly post: Post) {
    this.element = make(
      'div',
      { id: 'live', class: 'banner' },
      progressRing(),
      this.text,
      this.bar,
      this.cancel.element,
    );
    this.element.hidden = true;
    this.restart();
  }

  /** Read aloud while the line itself comes and goes. */
  get spoken(): HTMLElement {
    return this.announcer.element;
  }

  show(running: boolean): void {
    if (running && this.element.hidden) this.restart();
    if (running) this.announcer.begin();
    else this.announcer.end(say('said.ended'));
    this.element.hidden = !running;
  }

  progress(progress: Progress): void {
    const { stage, done, total, unit } = progress;
    this.announcer.progress(progress);
    if (total > 0) {
      this.bar.max = total;
      this.bar.value = done;
    } else this.bar.removeAttribute('value');
    const amount = total > 0 ? `${done}/${total}` : String(done);
    this.text.textContent = `${say(`stage.${stage}`)}: ${amount} ${say(`unit.${unit}`)}`;
  }

  private restart(): void {
    this.bar.removeAttribute('value');
    this.text.textContent = say('starting');
    this.cancel.setEnabled(true);
    this.cancel.setLabel(say('cancel'));
  }

  private cancelNow(): void {
    this.cancel.setEnabled(false);
    this.text.textContent = say('cancelling');
    this.post({ type: 'cancel' });
  }
}
