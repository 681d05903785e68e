/** The findings: cause with its figures, where, and buttons for the remedies. */
import { findingUrl } from '../../../server/src/protocol/families';
import type { FromModelPanel } from '../../../server/src/protocol/panel';
import type { ReportedIssue } from '../../../server/src/protocol/reports';
import type { ModelView } from '../../../server/src/protocol/views';
import { type Child, make } from '../shared/dom';
import { say } from '../shared/rpc';
import { messageParts, nodeOf, shownBeforeAll } from './findings-choice';
import { isOnnx } from './top';

const glyphs: Readonly<Record<string, string>> = { error: '✗', warning: '⚠', information: 'ℹ', hint: '💡' };

export interface FindingsOptions {
  readonly post: (message: Extract<FromModelPanel, { type: 'open-link' | 'recipe' }>) => void;
  readonly reveal: (layer: string) => void;
  readonly showAll: () => void;
  /** Whether a quoted name in a message is one that can be shown. */
  readonly isLayer: (name: string) => boolean;
}

/** Of a model: its name says what can be done with it. */
type Found = Pick<ModelView, 'name' | 'findings'>;

export function findingsList(view: Found, all: boolean, options: FindingsOptions): readonly Child[] {
  const few = shownBeforeAll(view.findings);
  const shown = all ? view.findings : few;
  const more = view.findings.length > few.length;
  return [
    make('h2', {}, say('findingsCount', view.findings.length)),
    make('ul', { class: 'findings' }, ...shown.map((finding) => item(finding, view, options))),
    more &&
      make(
        'button',
        { class: 'link', id: 'all-findings', attributes: { type: 'button' }, onClick: options.showAll },
        all ? say('fewerFindings') : say('allFindings', view.findings.length),
      ),
  ];
}

function item(finding: ReportedIssue, view: Found, options: FindingsOptions): HTMLElement {
  const { code, severity, layer, message, fixes } = finding;
  const node = nodeOf(finding);
  const href = findingUrl(code);
  return make(
    'li',
    { class: `finding ${severity}`, attributes: { 'data-code': code } },
    make(
      'span',
      {
        class: 'severity',
        title: say(`severity.${severity}`),
        attributes: { role: 'img', 'aria-label': say(`severity.${severity}`) },
      },
      glyphs[severity] ?? '',
    ),
    make(
      'span',
      { class: 'text' },
      link(code, say('explain', code), () => options.post({ type: 'open-link', href })),
      ' ',
      layer !== undefined && link(layer, say('showLayer'), () => options.reveal(layer)),
      // A node that is no layer has no row that could be shown.
      node !== undefined && make('span', { class: 'node' }, node),
      (layer ?? node) !== undefined && ': ',
      ...messageParts(message, options.isLayer).map(({ text, layer: named }) =>
        named === undefined ? text : link(text, say('showLayer'), () => options.reveal(named)),
      ),
    ),
    make(
      'span',
      { class: 'remedies' },
      ...(isOnnx(view) ? fixes : []).map((kind) =>
        make(
          'button',
          {
            class: 'remedy',
            attributes: { type: 'button' },
            title: say('inRecipe'),
            onClick: () => options.post({ type: 'recipe', actions: [{ kind, layer }] }),
          },
          say(`fix.${kind}`),
        ),
      ),
    ),
  );
}

function link(text: string, title: string, onClick: () => void): HTMLElement {
  return make('button', { class: 'link', title, attributes: { type: 'button' }, onClick }, text);
}
