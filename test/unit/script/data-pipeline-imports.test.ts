/** Data that a script imports from other files of its workspace. */
import { describe, expect, it } from 'vitest';
import { type DataPipeline, dataPipelines } from '../../../server/src/script/data-pipeline';
import { workspaceResolver } from '../../../server/src/script/imports';
import { type Program, readProgram } from '../../../server/src/script/program';
import { dedent, pythonParser } from '../../fixtures/python';
import { written } from './pipelines';

/** Pipelines of `train.py` among other files of the folder `/w`. */
async function pipelinesAmong(files: Readonly<Record<string, string>>): Promise<readonly DataPipeline[]> {
  const parser = await pythonParser();
  const programs = new Map<string, Program>();
  const folders = new Set<string>();
  for (const [name, text] of Object.entries(files)) {
    const parsed = parser.parse(dedent(text));
    programs.set(`/w/${name}`, readProgram(parsed.module));
    parsed.dispose();
    if (name.includes('/')) folders.add(`/w/${name.slice(0, name.lastIndexOf('/'))}`);
  }
  const program = (file: string) => programs.get(file);
  const sources = { program, isFolder: (path: string) => folders.has(path), roots: () => ['/w'] };
  const script = program('/w/train.py');
  if (!script) throw new Error('no train.py');
  return dataPipelines(
    { file: '/w/train.py', program: script, text: dedent(files['train.py'] ?? '') },
    { resolver: (variable) => workspaceResolver(sources, variable), program },
  );
}

const data = `
  from torch.utils.data import DataLoader
  from torchvision import datasets, transforms
  from .norm import MEAN, STD

  changed = transforms.Compose([transforms.RandomResizedCrop(32), transforms.ToTensor(), transforms.Normalize(MEAN, STD)])
  plain = transforms.Compose([transforms.Resize(36), transforms.CenterCrop(32), transforms.ToTensor(), transforms.Normalize(MEAN, STD)])

  def loaders(root="data", batch=8):
      train = DataLoader(datasets.ImageFolder(root + "/train", changed), batch, shuffle=True)
      val = DataLoader(datasets.ImageFolder(root + "/val", plain), batch)
      return train, val

  val_loader = DataLoader(datasets.ImageFolder("data/val", plain), 4)
`;
const norm = 'MEAN = (0.48, 0.45, 0.4)\nSTD = (0.22, 0.22, 0.22)\n';
const files = { 'lib/__init__.py': '', 'lib/data.py': data, 'lib/norm.py': norm };
const values = 'resize 36 crop 32 scale 1/255 mean 0.48/0.45/0.4 std 0.22/0.22/0.22 nchw';

describe('data of other files', () => {
  it('comes from a function that is called', async () => {
    const train = `
      from lib.data import loaders

      def main():
          train_loader, val_loader = loaders("pictures")
          for x, y in train_loader:
              pass

      main()
    `;
    const found = await pipelinesAmong({ ...files, 'train.py': train });
    expect(found.map(written)).toEqual([
      `evaluation loader - [pictures/val] ${values} ×8`,
      expect.stringMatching(/^training loader - \[pictures\/train\]/),
    ]);
    const [first] = found;
    expect(first?.loader?.file).toBe('/w/lib/data.py');
    expect(first?.transform?.file).toBe('/w/lib/data.py');
    expect(first?.sources[0]?.file).toBe('/w/lib/data.py');
    // The lens stands on the call.
    expect(dedent(train).slice(...(first?.span ?? [0, 0]))).toBe('loaders("pictures")');
  });

  it('is a loader that is imported by name', async () => {
    const train = 'from lib.data import val_loader as held\n';
    const [first, ...more] = await pipelinesAmong({ ...files, 'train.py': train });
    expect(more).toEqual([]);
    expect(first && written(first)).toBe(`evaluation loader held [data/val] ${values} ×4`);
    expect(train.slice(...(first?.span ?? [0, 0]))).toContain('val_loader');
  });

  it('is a transform that a loader here uses', async () => {
    const train = `
      import torch
      from torchvision.datasets import ImageFolder
      from lib import data

      loader = torch.utils.data.DataLoader(ImageFolder("mine", transform=data.plain), batch_size=2)
    `;
    const [first, ...more] = await pipelinesAmong({ ...files, 'train.py': train });
    expect(more).toEqual([]);
    expect(first && written(first)).toBe(`unknown loader loader [mine] ${values} ×2`);
    expect(first?.loader?.file).toBeUndefined();
    expect(first?.transform?.file).toBe('/w/lib/data.py');
    expect(first?.evidence).toEqual({});
  });

  it('is only what the script uses, and files that import each other end', async () => {
    const train =
      'from lib.a import size\nfrom torchvision import transforms\nt = transforms.CenterCrop(size)\n';
    const found = await pipelinesAmong({
      ...files,
      'lib/a.py': 'from .b import other\nfrom .data import plain\nsize = 12\n',
      'lib/b.py': 'from .a import size\nother = size\n',
      'train.py': train,
    });
    expect(found.map(written).join()).not.toContain('data/val');
  });
});
