/** What a script feeds its network, written on one line. */
import { expect } from 'vitest';
import { type DataPipeline, dataPipelines } from '../../../server/src/script/data-pipeline';
import { readProgram } from '../../../server/src/script/program';
import { dedent, pythonParser } from '../../fixtures/python';

export async function pipelinesOf(source: string): Promise<{ text: string; found: readonly DataPipeline[] }> {
  const text = dedent(source);
  const parsed = (await pythonParser()).parse(text);
  const found = dataPipelines({ file: '/work/script.py', program: readProgram(parsed.module), text });
  parsed.dispose();
  return { text, found };
}

/** `role kind name [path] key value … ×batch ? doubts`. */
export function written({
  role,
  kind,
  loader,
  transform,
  sources,
  preprocessing,
  batchSize,
  doubts,
}: DataPipeline): string {
  const { scale, mean, std, resize, crop, layout, color } = preprocessing;
  const one = (values: readonly number[]) => values.map((value) => Number(value.toPrecision(5))).join('/');
  return [
    `${role} ${kind}`,
    loader?.name ?? transform?.name ?? '-',
    ...sources.map(({ path }) => `[${path}]`),
    ...(resize === undefined ? [] : [`resize ${resize}`]),
    ...(crop === undefined ? [] : [`crop ${crop}`]),
    ...(scale === undefined ? [] : [`scale 1/${Number((1 / scale).toPrecision(5))}`]),
    ...(mean ? [`mean ${one(mean)}`] : []),
    ...(std ? [`std ${one(std)}`] : []),
    ...(layout ? [layout] : []),
    ...(color ? [color] : []),
    ...(batchSize === undefined ? [] : [`×${batchSize}`]),
    ...doubts.map((doubt) => `? ${doubt.kind} ${doubt.detail}`),
  ].join(' ');
}

export async function check(source: string, ...expected: readonly string[]): Promise<void> {
  const { found } = await pipelinesOf(source);
  expect(found.map(written)).toEqual(expected);
}

export const imagenet = 'mean 0.485/0.456/0.406 std 0.229/0.224/0.225';
