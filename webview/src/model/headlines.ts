/** What matters at a glance, above facts and findings: verdicts with the worst layer, and what is not known yet. */
import { type ModelView, recipeScheme, type Verdict } from '../../../server/src/protocol/views';
import { type Child, make, spoken } from '../shared/dom';
import { decibels, glyphs, percent, verdictOf } from '../shared/figures';
import { say } from '../shared/rpc';
import { goodFrom, quantizedStanding, type Standing, standings } from './headline-facts';
import { isDone, isOnnx } from './top';

export interface HeadlineOptions {
  readonly reveal: (layer: string) => void;
  readonly calibrate: () => void;
}

/** Nothing before a figure is known. */
export function headlines(view: ModelView, options: HeadlineOptions): Child {
  const cards = [
    ...outputs(view),
    ...quantized(view),
    ...errors(view, options),
    ...unmeasured(view, options),
  ];
  if (cards.length === 0) return undefined;
  return make('ul', { id: 'headlines', attributes: { 'aria-label': say('headlines') } }, ...cards);
}

function outputs({ output }: ModelView): readonly HTMLElement[] {
  return Object.entries(output ?? {}).map(([scheme, { sqnr, topOneAgreement, execution }]) =>
    card(verdictOf(sqnr), {
      title: scheme === recipeScheme ? say('headline.wholeAsRecipe') : say('headline.whole', scheme),
      tooltip: say(execution === 'deployed' ? 'deployed' : 'simulated'),
      lines: [
        [make('strong', {}, decibels(sqnr)), ` ${say('headline.atOutput')}`],
        topOneAgreement === null ? [] : [say('headline.agreement', percent(topOneAgreement))],
      ],
    }),
  );
}

function quantized({ layers }: ModelView): readonly HTMLElement[] {
  const known = quantizedStanding(layers);
  if (!known) return [];
  const { count, of, formats, execution, verdict } = known;
  const what = card('unknown', {
    title: say('headline.quantized'),
    lines: [[say('headline.quantizedCount', count, of, formats.join(', '))]],
  });
  const runs = execution.map(({ as, count: some }) => say(`headline.runs.${as}`, some));
  return execution.length === 0
    ? [what]
    : [
        what,
        card(verdict, {
          title: say('headline.runs'),
          tooltip: say('quantizedTitle.execution'),
          lines: [[runs.join(', ')]],
        }),
      ];
}

function errors(view: ModelView, { reveal }: HeadlineOptions): readonly HTMLElement[] {
  // A few layers left in float do not judge the file.
  if (quantizedStanding(view.layers)) return [];
  return standings(view).map(({ column, worst, below, of }: Standing) => {
    const { layer, cell } = worst;
    const type = column.effect === 'weight' ? (column.format.split('.')[0] ?? column.format) : column.format;
    return card(cell.verdict, {
      title: say(`headline.${column.effect}`, type === recipeScheme ? say('asPlanned') : type),
      tooltip: say(`effect.${column.effect}`, column.format),
      lines: [
        [
          `${say('headline.worst')} `,
          make(
            'button',
            {
              class: 'link worst',
              title: `${layer}: ${say('showLayer')}`,
              attributes: { type: 'button' },
              onClick: () => reveal(layer),
            },
            layer,
          ),
          ` ${decibels(cell.db, cell.basis === 'estimated')}`,
        ],
        [counted(below, of)],
      ],
    });
  });
}

function counted(below: number, of: number): string {
  if (below > 0) return say('headline.below', below, of, goodFrom);
  return of === 1 ? say('headline.oneGood') : say('headline.allGood', of);
}

/** What the figures of the weights leave open, and the button that closes it. */
function unmeasured(view: ModelView, { calibrate }: HeadlineOptions): readonly HTMLElement[] {
  const isOpen =
    isOnnx(view) &&
    view.trusted &&
    isDone(view) &&
    view.columns.length > 0 &&
    view.columns.every(({ effect }) => effect === 'weight') &&
    !quantizedStanding(view.layers);
  if (!isOpen) return [];
  const go = make(
    'button',
    { class: 'link', id: 'headline-calibrate', attributes: { type: 'button' }, onClick: calibrate },
    say('calibrate'),
  );
  return [
    card('unknown', {
      title: say('headline.unmeasured'),
      lines: [[say('headline.unmeasuredText')], [go]],
    }),
  ];
}

interface Card {
  readonly title: string;
  readonly tooltip?: string;
  readonly lines: readonly (readonly Child[])[];
}

function card(verdict: Verdict, { title, tooltip, lines }: Card): HTMLElement {
  return make(
    'li',
    { class: `headline judged ${verdict}`, title: tooltip },
    make(
      'div',
      { class: 'headline-title' },
      glyphs[verdict] !== '' &&
        make('span', { class: 'glyph', attributes: { 'aria-hidden': 'true' } }, `${glyphs[verdict]} `),
      title,
      verdict !== 'unknown' && spoken(`: ${say(`verdict.${verdict}`)}`),
    ),
    ...lines.filter((line) => line.length > 0).map((line) => make('div', {}, ...line)),
  );
}
