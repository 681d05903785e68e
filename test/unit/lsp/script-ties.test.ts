/** Files that a script writes: under a literal name, and under one that is put together of constants. */
import * as path from 'node:path';
import { describe, expect, it } from 'vitest';
import { exportCalls } from '../../../server/src/lsp/script-ties';
import { programOf } from '../../fixtures/python';

const folder = path.resolve('/scripts');

function checkWritten(code: string, ...expected: readonly string[]) {
  it(code.trim().split('\n').at(-1) ?? '', async () => {
    const program = await programOf(`${head}${code}\n`);
    const written = exportCalls({ file: path.join(folder, 'train.py'), program });
    expect(written.map(({ model }) => path.relative(folder, model).replaceAll('\\', '/'))).toEqual(expected);
  });
}

const head = `import argparse, os, torch
import os.path as osp
from pathlib import Path
from safetensors.torch import save_file, save_model
OUT = 'runs'
NAME = 'net'
HERE = Path(__file__).resolve().parent
parser = argparse.ArgumentParser()
parser.add_argument('-o', '--save-dir', type=str, default='checkpoints')
parser.add_argument('--name', default='resnet', help='network')
parser.add_argument('--twice', default='a')
parser.add_argument('--twice', default='b')
args = parser.parse_args()
`;

describe('a file under a literal name', () => {
  checkWritten(`torch.onnx.export(model, x, "x.onnx")`, 'x.onnx');
  checkWritten(`torch.onnx.export(model, x, f="x.onnx", input_names=["input"])`, 'x.onnx');
  checkWritten(`save_file(model.state_dict(), "x.safetensors")`, 'x.safetensors');
  checkWritten(`save_model(model, "x.safetensors")`, 'x.safetensors');
  checkWritten(`torch.save(model.state_dict(), "x.pt")`, 'x.onnx');
  checkWritten(`model.save_pretrained("out")`, 'out/model.safetensors');
  checkWritten(`model.save_pretrained(save_directory="out", variant="fp16")`, 'out/model.safetensors');
  checkWritten(`model.save("x.onnx")`, 'x.onnx');
  checkWritten(`model.to_onnx("x.onnx", x, export_params=True)`, 'x.onnx');
  checkWritten(`model.save("x.keras")`, 'x.onnx');
});

describe('a file under a name of constants', () => {
  checkWritten(`save_file(w, os.path.join(OUT, NAME + ".safetensors"))`, 'runs/net.safetensors');
  checkWritten(`save_file(w, osp.join("a", "b", "c.safetensors"))`, 'a/b/c.safetensors');
  checkWritten(`torch.onnx.export(m, x, Path(OUT) / "deep" / f"{NAME}.onnx")`, 'runs/deep/net.onnx');
  checkWritten(`torch.onnx.export(m, x, str(HERE / "net.onnx"))`, 'net.onnx');
  checkWritten(`torch.onnx.export(m, x, HERE.parent.joinpath("net.onnx"))`, '../net.onnx');
  checkWritten(
    `torch.onnx.export(m, x, os.path.join(os.path.dirname(os.path.abspath(__file__)), "n.onnx"))`,
    'n.onnx',
  );
  checkWritten(`model.save_pretrained(f"{OUT}/{NAME}")`, 'runs/net/model.safetensors');
  checkWritten(`model.save_pretrained(args.save_dir)`, 'checkpoints/model.safetensors');
  checkWritten(`torch.save(s, os.path.join(args.save_dir, f"{args.name}.th"))`, 'checkpoints/resnet.onnx');
  checkWritten(`torch.save(s, os.path.join(args.save_dir, f"{args.name}.pth"))`, 'checkpoints/resnet.onnx');
  checkWritten(
    `def save(model, args):\n    model.save_pretrained(args.save_dir)`,
    'checkpoints/model.safetensors',
  );
  checkWritten(`torch.onnx.export(m, x, Path("net.pt").with_suffix(".onnx"))`, 'net.onnx');
});

describe('a name that is not certain', () => {
  checkWritten(`torch.onnx.export(m, x, args.twice)`);
  checkWritten(`torch.onnx.export(m, x, name())`);
  checkWritten(`model.save_pretrained(*folders)`);
  checkWritten(`model.save_pretrained(args.missing)`);
});
