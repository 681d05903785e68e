/** Data of training scripts as people write them with torchvision: where samples lie, how a picture becomes an input. */
import { describe, it } from 'vitest';
import { check, imagenet } from './pipelines';

describe('torchvision', () => {
  it.each<[why: string, source: string, ...expected: string[]]>([
    [
      'the ImageNet example: arguments, functions, joined paths',
      `
      import argparse, os
      import torch
      import torchvision.transforms as transforms
      import torchvision.datasets as datasets
      parser = argparse.ArgumentParser()
      parser.add_argument('data', nargs='?', default='imagenet')
      parser.add_argument('-b', '--batch-size', default=256, type=int)
      def main():
          args = parser.parse_args()
          work(args)
      def work(args):
          normalize = transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
          train = datasets.ImageFolder(os.path.join(args.data, 'train'), transforms.Compose([
              transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(), transforms.ToTensor(), normalize]))
          val = datasets.ImageFolder(os.path.join(args.data, 'val'), transforms.Compose([
              transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(), normalize]))
          train_loader = torch.utils.data.DataLoader(train, batch_size=args.batch_size, shuffle=True)
          val_loader = torch.utils.data.DataLoader(val, batch_size=args.batch_size)
      if __name__ == '__main__':
          main()
      `,
      `evaluation loader - [imagenet/val] resize 256 crop 224 scale 1/255 ${imagenet} nchw ×256`,
      `training loader - [imagenet/train] resize 224 crop 224 scale 1/255 ${imagenet} nchw ×256 ? random RandomResizedCrop`,
    ],
    [
      'the transfer-learning tutorial: dictionaries and comprehensions',
      `
      import os, torch
      from torchvision import datasets, transforms
      data_transforms = {
          'train': transforms.Compose([transforms.RandomResizedCrop(224), transforms.ToTensor()]),
          'val': transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor()]),
      }
      data_dir = 'data/bees'
      sets = {x: datasets.ImageFolder(os.path.join(data_dir, x), data_transforms[x]) for x in ['train', 'val']}
      loaders = {x: torch.utils.data.DataLoader(sets[x], batch_size=4) for x in ['train', 'val']}
      `,
      "evaluation loader loaders['val'] [data/bees/val] resize 256 crop 224 scale 1/255 nchw ×4",
    ],
    [
      'CIFAR: no folder of pictures',
      `
      import torch, torchvision
      import torchvision.transforms as T
      tf = T.Compose([T.ToTensor(), T.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))])
      testset = torchvision.datasets.CIFAR10('./data', False, tf)
      testloader = torch.utils.data.DataLoader(testset, 4, shuffle=False)
      `,
      'evaluation loader testloader scale 1/255 mean 0.5/0.5/0.5 std 0.5/0.5/0.5 nchw ×4 ? no-pictures CIFAR10',
    ],
    [
      'version 2, a list that grows, a function with a flag',
      `
      import torch
      from torchvision.transforms import v2
      from torchvision import datasets
      from torch.utils.data import DataLoader, random_split
      SIZE = 112
      def build(train, size=SIZE):
          steps = []
          if train:
              steps.append(v2.RandomHorizontalFlip())
          steps += [v2.Resize((size, size)), v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5], [0.5])]
          return v2.Compose(steps)
      train, val = random_split(datasets.ImageFolder('faces', build(False)), [0.8, 0.2])
      val_loader = DataLoader(val, batch_size=64)
      `,
      'evaluation loader val_loader [faces] resize 112 crop 112 scale 1/255 mean 0.5 std 0.5 nchw ×64 ? squashed 112 × 112',
    ],
    [
      'a data type without scale keeps 0 to 255',
      `
      import torch
      from torchvision.transforms import v2
      tf = v2.Compose([v2.ToImage(), v2.Resize(64), v2.ToDtype(torch.float32)])
      `,
      'unknown transform tf resize 64 nchw',
    ],
    [
      'older names, splat, both sides, not square',
      `
      from torchvision import transforms
      tail = [transforms.ToTensor(), transforms.Normalize(mean=[0.1], std=[0.3])]
      one = transforms.Compose([transforms.Scale(40), transforms.CenterCrop((32, 32)), *tail])
      two = transforms.Compose([transforms.Resize((256, 128)), transforms.ToTensor()])
      `,
      'unknown transform one resize 40 crop 32 scale 1/255 mean 0.1 std 0.3 nchw',
      'unknown transform two scale 1/255 nchw ? not-square 256 × 128',
    ],
    [
      'nn.Sequential of transforms, ConvertImageDtype, bicubic',
      `
      import torch
      from torch import nn
      from torchvision import transforms as T
      from torchvision.transforms import InterpolationMode
      tf = nn.Sequential(T.Resize([224], interpolation=InterpolationMode.BICUBIC), T.CenterCrop(224),
                         T.ConvertImageDtype(torch.float32), T.Normalize([0.5] * 3, [0.25] * 3))
      `,
      'unknown transform tf resize 224 crop 224 scale 1/255 mean 0.5/0.5/0.5 std 0.25/0.25/0.25 ? interpolation bicubic',
    ],
    [
      'lambdas are run, others are named',
      `
      import torch
      from torchvision import transforms
      one = transforms.Compose([transforms.ToTensor(), transforms.Lambda(lambda x: x * 255)])
      two = transforms.Compose([transforms.ToTensor(), transforms.Lambda(lambda x: (x - 0.5) / 0.5)])
      three = transforms.Compose([transforms.ToTensor(), transforms.Lambda(sharpen), transforms.Pad(4)])
      `,
      'unknown transform one scale 1/1 nchw',
      'unknown transform two scale 1/255 mean 0.5 std 0.5 nchw',
      'unknown transform three scale 1/255 nchw ? unknown-step Lambda ? unknown-step Pad',
    ],
    [
      'values from elsewhere stay unknown',
      `
      from config import MEAN, SIZE
      from torchvision import transforms
      tf = transforms.Compose([transforms.Resize(SIZE), transforms.ToTensor(), transforms.Normalize(MEAN, [0.2])])
      `,
      'unknown transform tf scale 1/255 std 0.2 nchw ? unknown-value Resize(size) ? unknown-value Normalize(mean)',
    ],
    [
      'grey pictures, and grey ones in three channels',
      `
      from torchvision import transforms
      one = transforms.Compose([transforms.Grayscale(), transforms.ToTensor()])
      two = transforms.Compose([transforms.Grayscale(num_output_channels=3), transforms.ToTensor()])
      `,
      'unknown transform one scale 1/255 nchw',
      'unknown transform two scale 1/255 nchw ? grey Grayscale',
    ],
    [
      'cropped before it is resized',
      `
      from torchvision import transforms
      tf = transforms.Compose([transforms.CenterCrop(32), transforms.Resize(224), transforms.ToTensor()])
      `,
      'unknown transform tf resize 224 crop 224 scale 1/255 nchw ? cropped-first 32',
    ],
    [
      'a name assigned twice means what it means then',
      `
      import torch
      from torchvision import datasets, transforms
      transform = transforms.Compose([transforms.RandomCrop(32), transforms.ToTensor()])
      train = datasets.ImageFolder('a', transform=transform)
      transform = transforms.Compose([transforms.Resize(40), transforms.ToTensor()])
      test = datasets.ImageFolder('b', transform=transform)
      test_loader = torch.utils.data.DataLoader(test)
      `,
      'evaluation loader test_loader [b] resize 40 scale 1/255 nchw ×1',
      'training transform - crop 32 scale 1/255 nchw ? random RandomCrop',
    ],
    [
      'the module is overwritten by its transforms',
      `
      import torch
      from torchvision import datasets, transforms
      transforms = {'val': transforms.Compose([transforms.Resize(99), transforms.ToTensor()])}
      loader = torch.utils.data.DataLoader(datasets.ImageFolder(root='val', transform=transforms['val']), 2)
      `,
      'evaluation loader loader [val] resize 99 scale 1/255 nchw ×2',
    ],
    [
      'weights bring their preprocessing; a subset is its data set',
      `
      import torch
      from torchvision import datasets
      from torchvision.models import ResNet50_Weights
      weights = ResNet50_Weights.DEFAULT
      ds = datasets.ImageFolder('imgs', transform=weights.transforms())
      loader = torch.utils.data.DataLoader(torch.utils.data.Subset(ds, range(100)), 32)
      `,
      `unknown loader loader [imgs] resize 232 crop 224 scale 1/255 ${imagenet} nchw ×32`,
    ],
    [
      'weights of segmentation are not in the table',
      `
      from torchvision.models.segmentation import FCN_ResNet50_Weights
      from torchvision import transforms
      tf = FCN_ResNet50_Weights.DEFAULT.transforms()
      `,
      'unknown transform tf ? from-checkpoint FCN_ResNet50_Weights.DEFAULT',
    ],
    [
      'ImageNet by split, paths by pathlib and from the file',
      `
      import torch
      from pathlib import Path
      from torchvision import transforms, datasets
      ROOT = Path(__file__).resolve().parent / 'data'
      val = datasets.ImageNet(ROOT / 'ilsvrc', split='val', transform=transforms.Compose([transforms.ToTensor()]))
      loader = torch.utils.data.DataLoader(val, batch_size=16)
      `,
      'evaluation loader loader [/work/data/ilsvrc/val] scale 1/255 nchw ×16',
    ],
    [
      'a Lightning data module',
      `
      import pytorch_lightning as pl
      from torch.utils.data import DataLoader
      from torchvision import transforms
      from torchvision.datasets import ImageFolder
      class Data(pl.LightningDataModule):
          def __init__(self, data_dir='leaves', batch_size=32):
              super().__init__()
              self.data_dir = data_dir
              self.batch_size = batch_size
              self.transform = transforms.Compose([transforms.ToTensor()])
          def setup(self, stage=None):
              self.test = ImageFolder(self.data_dir, transform=self.transform)
          def test_dataloader(self):
              return DataLoader(self.test, batch_size=self.batch_size)
      `,
      'evaluation loader - [leaves] scale 1/255 nchw ×32',
    ],
    [
      'networks do not run: what they do inside is not preprocessing',
      `
      import torch
      from torch import nn
      from torchvision import transforms
      class Net(nn.Module):
          def forward(self, x):
              return self.body((x / 255 - 0.5) / 0.25)
      `,
    ],
  ])('%s', (_why, source, ...expected) => check(source, ...expected));
});
