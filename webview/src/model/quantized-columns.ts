/** Columns for layers that are quantized already: what codes and scales tell where there is no error to show. */
import type { LayerRow, QuantizedRow } from '../../../server/src/protocol/views';
import { make, spoken } from '../shared/dom';
import { percent } from '../shared/figures';
import { say } from '../shared/rpc';
import type { Column } from '../shared/table';

type Value = string | number | undefined;

/** Empty when no layer is quantized; execution only where the runtime's graph was looked at. */
export function quantizedColumns(layers: readonly LayerRow[]): readonly Column<LayerRow>[] {
  const known = layers.flatMap(({ quantized }) => (quantized ? [quantized] : []));
  if (known.length === 0) return [];
  const text = (id: string, value: (row: QuantizedRow) => string) => column(id, false, value, value);
  const number = (id: string, value: (row: QuantizedRow) => number, shown: (row: QuantizedRow) => string) =>
    column(id, true, value, shown);
  return [
    text('form', ({ form }) => form),
    { ...text('weights', ({ weights }) => weights), render: weightsText },
    number(
      'codes',
      ({ codesUsed }) => codesUsed,
      ({ codesUsed, levels }) => say('codesOf', codesUsed, levels),
    ),
    number(
      'effectiveLevels',
      ({ effectiveLevels }) => effectiveLevels,
      ({ effectiveLevels }) => effectiveLevels.toFixed(1),
    ),
    number(
      'ends',
      ({ endShare }) => endShare,
      ({ endShare }) => percent(endShare),
    ),
    number(
      'scales',
      ({ scaleSpread }) => scaleSpread,
      ({ scaleSpread, badScales }) =>
        badScales > 0 ? `✗ ${say('badScales', badScales)}` : `${scaleSpread.toPrecision(3)}×`,
    ),
    ...(known.some(({ execution }) => execution !== undefined)
      ? [
          column(
            'execution',
            false,
            ({ execution }) => execution,
            executionText,
            ({ reason }) => reason,
          ),
        ]
      : []),
  ];
}

/** A layer that is left in float says so. */
function weightsText({ quantized, storedAs, dataType }: LayerRow): readonly string[] {
  return [quantized?.weights ?? (storedAs === undefined ? dataType : '–')];
}

/** The reason is a sentence: pointed at, it is told, and read aloud with the sign. */
function executionText({ execution }: QuantizedRow): string {
  if (execution === undefined) return '–';
  const name = say(`execution.${execution}`);
  return execution === 'float' ? `${name} △` : name;
}

function column(
  id: string,
  isNumber: boolean,
  value: (row: QuantizedRow) => Value,
  shown: (row: QuantizedRow) => string,
  title?: (row: QuantizedRow) => string | undefined,
): Column<LayerRow> {
  const label = say(`quantized.${id}`);
  const knownValue = ({ quantized }: LayerRow) => quantized && value(quantized);
  return {
    id: `quantized:${id}`,
    label,
    title: say(`quantizedTitle.${id}`),
    class: isNumber ? 'number-column' : '',
    sortValue: knownValue,
    render: ({ quantized }) => {
      if (!quantized) return ['–'];
      const told = title?.(quantized);
      return [
        make('span', { title: told }, shown(quantized), told === undefined ? undefined : spoken(` ${told}`)),
      ];
    },
    copy: [{ label, value: knownValue }],
  };
}
