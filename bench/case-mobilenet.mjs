// Draws the pictures of docs/case-mobilenet.md from two reports of `quantlens compare --json`.
// node bench/case-mobilenet.mjs FILE.json REPAIRED.json FOLDER
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const [filePath, repairedPath, folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: node bench/case-mobilenet.mjs FILE.json REPAIRED.json FOLDER');
  process.exit(2);
}
const file = JSON.parse(readFileSync(filePath, 'utf8'));
const repaired = JSON.parse(readFileSync(repairedPath, 'utf8'));

const size = { width: 1000, height: 330, left: 62, right: 20, top: 58, bottom: 46 };
const ink = { text: '#24292f', quiet: '#57606a', grid: '#d8dee4', band: '#f3f5f7' };
const colors = { bad: '#c2410c', good: '#0f766e', weights: '#2563a8', activations: '#c2410c' };
const layers = file.layers;

write(
  'case-mobilenet-cumulative.svg',
  chart(
    'SQNR of each layer’s output, everything before it quantized (dB; more is better)',
    [-5, 45],
    [
      {
        name: 'the file found in public',
        color: colors.bad,
        values: figures(file, 'cumulative'),
        as: 'line',
      },
      {
        name: 'the repaired export',
        color: colors.good,
        values: figures(repaired, 'cumulative'),
        as: 'line',
      },
    ],
  ),
);
write(
  'case-mobilenet-local.svg',
  chart(
    'SQNR that each layer of the file keeps by itself (dB; more is better)',
    [0, 45],
    [
      {
        name: 'activation quantized alone',
        color: colors.activations,
        values: figures(file, 'localActivations'),
        as: 'bar',
      },
      {
        name: 'weight quantized alone',
        color: colors.weights,
        values: figures(file, 'localWeights'),
        as: 'dot',
      },
    ],
  ),
);

function figures(report, kind) {
  return layers.map(({ name }) => report.layers.find((one) => one.name === name)?.[kind]?.file ?? null);
}

function chart(title, [low, high], series) {
  const plot = {
    width: size.width - size.left - size.right,
    height: size.height - size.top - size.bottom,
  };
  const step = plot.width / layers.length;
  const x = (index) => size.left + (index + 0.5) * step;
  const y = (value) =>
    size.top + plot.height * (1 - (Math.min(high, Math.max(low, value)) - low) / (high - low));
  const parts = [
    `<rect width="${size.width}" height="${size.height}" fill="#ffffff"/>`,
    text(size.left, 22, title, { size: 15, weight: 600 }),
    ...layers.flatMap(({ depthwise }, index) =>
      depthwise ? [rectangle(size.left + index * step, size.top, step, plot.height, ink.band)] : [],
    ),
  ];
  for (let value = Math.ceil(low / 10) * 10; value <= high; value += 10) {
    parts.push(
      `<line x1="${size.left}" x2="${size.width - size.right}" y1="${y(value)}" y2="${y(value)}" stroke="${ink.grid}"/>`,
      text(size.left - 8, y(value) + 4, `${value}`, { size: 12, anchor: 'end', fill: ink.quiet }),
    );
  }
  let legend = size.left;
  for (const { name, color, values, as } of series) {
    parts.push(rectangle(legend, 34, 12, 12, color), text(legend + 18, 44, name, { size: 13 }));
    legend += 40 + name.length * 7;
    if (as === 'bar') {
      for (const [index, value] of values.entries()) {
        if (value === null) continue;
        const label = `<title>${escaped(layers[index].name)}: ${value.toFixed(1)} dB ${escaped(name)}</title>`;
        const top = y(value);
        parts.push(
          `<rect x="${x(index) - step * 0.32}" y="${top}" width="${step * 0.64}" height="${size.top + plot.height - top}" fill="${color}" opacity="0.75">${label}</rect>`,
        );
      }
      continue;
    }
    if (as === 'line') {
      const points = values.map((value, index) => (value === null ? '' : `${x(index)},${y(value)}`));
      parts.push(`<polyline points="${points.join(' ')}" fill="none" stroke="${color}" stroke-width="2"/>`);
    }
    for (const [index, value] of values.entries()) {
      if (value === null) continue;
      const label = `<title>${escaped(layers[index].name)}: ${value.toFixed(1)} dB ${escaped(name)}</title>`;
      parts.push(`<circle cx="${x(index)}" cy="${y(value)}" r="3.4" fill="${color}">${label}</circle>`);
    }
  }
  parts.push(
    rectangle(legend, 34, 12, 12, ink.band, ink.grid),
    text(legend + 18, 44, 'depthwise', { size: 13 }),
  );
  for (const [index, { name }] of layers.entries()) {
    if (index % 6 !== 0 && index !== layers.length - 1) continue;
    if (index !== layers.length - 1 && layers.length - 1 - index < 4) continue;
    const short = name.replace('features.', '').replace('.conv', '');
    parts.push(text(x(index), size.height - 24, short, { size: 11, anchor: 'middle', fill: ink.quiet }));
  }
  parts.push(
    text(size.left + plot.width / 2, size.height - 6, 'layers in order (features.N.conv.M as N.M)', {
      size: 12,
      anchor: 'middle',
      fill: ink.quiet,
    }),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" font-family="system-ui, sans-serif" role="img" aria-label="${escaped(title)}">\n${parts.join('\n')}\n</svg>\n`;
}

function rectangle(left, top, width, height, fill, stroke = 'none') {
  return `<rect x="${left}" y="${top}" width="${width}" height="${height}" fill="${fill}" stroke="${stroke}"/>`;
}

function text(left, base, content, { size: px, weight = 400, anchor = 'start', fill = ink.text }) {
  return `<text x="${left}" y="${base}" font-size="${px}" font-weight="${weight}" text-anchor="${anchor}" fill="${fill}">${escaped(content)}</text>`;
}

function escaped(content) {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

function write(name, content) {
  writeFileSync(path.join(folder, name), content);
  console.log(path.join(folder, name));
}
