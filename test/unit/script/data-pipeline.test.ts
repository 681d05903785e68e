/** Data of training scripts as people write them: where samples lie, how a picture becomes an input, what is not known. */
import { describe, expect, it } from 'vitest';
import { type DataPipeline, dataPipelines } from '../../../server/src/script/data-pipeline';
import { torchvisionPreset } from '../../../server/src/script/data-pipeline-presets';
import { readProgram } from '../../../server/src/script/program';
import { dedent, pythonParser } from '../../fixtures/python';

async function pipelinesOf(source: string): Promise<{ text: string; found: readonly DataPipeline[] }> {
  const text = dedent(source);
  const parsed = (await pythonParser()).parse(text);
  const found = dataPipelines({ file: '/work/script.py', program: readProgram(parsed.module), text });
  parsed.dispose();
  return { text, found };
}

/** `role kind name [path] key value … ×batch ? doubts`. */
function written({
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

async function check(source: string, ...expected: readonly string[]): Promise<void> {
  const { found } = await pipelinesOf(source);
  expect(found.map(written)).toEqual(expected);
}

const imagenet = 'mean 0.485/0.456/0.406 std 0.229/0.224/0.225';

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

describe('other libraries', () => {
  it.each<[why: string, source: string, ...expected: string[]]>([
    [
      'albumentations behind OpenCV in a data set of one’s own',
      `
      import cv2, os
      from torch.utils.data import Dataset, DataLoader
      import albumentations as A
      from albumentations.pytorch import ToTensorV2
      val_tf = A.Compose([A.Resize(320, 320), A.Normalize(mean=(0.5,) * 3, std=(0.5,) * 3, max_pixel_value=255.0), ToTensorV2()])
      class Leaf(Dataset):
          def __init__(self, folder, files, transform=None):
              self.folder, self.files, self.transform = folder, files, transform
          def __getitem__(self, i):
              image = cv2.imread(os.path.join(self.folder, self.files[i]))
              if self.transform:
                  image = self.transform(image=image)['image']
              return image, 0
      val_loader = DataLoader(Leaf('leaves/val', os.listdir('leaves/val'), transform=val_tf), batch_size=8)
      `,
      'evaluation loader val_loader [leaves/val] resize 320 crop 320 scale 1/255 mean 0.5/0.5/0.5 std 0.5/0.5/0.5 nchw bgr ×8 ? squashed 320 × 320',
    ],
    [
      'albumentations: defaults, shorter side, random steps',
      `
      import albumentations as A
      tf = A.Compose([A.SmallestMaxSize(256), A.CenterCrop(224, 224), A.Normalize(), A.pytorch.ToTensorV2()])
      aug = A.Compose([A.HorizontalFlip(p=0.5), A.ToFloat(max_value=255)])
      `,
      `unknown transform tf resize 256 crop 224 scale 1/255 ${imagenet} nchw`,
      'training transform aug scale 1/255 ? random HorizontalFlip',
    ],
    [
      'timm: constants, and what comes with a model',
      `
      import timm
      from timm.data import create_transform, IMAGENET_INCEPTION_MEAN
      one = create_transform(input_size=224, is_training=False, crop_pct=0.9, mean=IMAGENET_INCEPTION_MEAN)
      two = create_transform(**timm.data.resolve_data_config({}, model=timm.create_model('resnet18')))
      `,
      'unknown transform one resize 248 crop 224 scale 1/255 mean 0.5/0.5/0.5 std 0.229/0.224/0.225 nchw',
      'unknown transform two nchw ? from-checkpoint create_transform',
    ],
    [
      'Transformers: processors with literal values and from a checkpoint',
      `
      from transformers import AutoImageProcessor, ViTImageProcessor
      one = ViTImageProcessor(size={'height': 224, 'width': 224}, image_mean=[0.5] * 3, image_std=[0.5] * 3)
      two = AutoImageProcessor.from_pretrained('google/vit-base')
      `,
      'unknown transform one resize 224 crop 224 scale 1/255 mean 0.5/0.5/0.5 std 0.5/0.5/0.5 nchw ? squashed 224 × 224',
      'unknown transform two nchw ? from-checkpoint AutoImageProcessor',
    ],
    [
      'Keras: folders, layers, generators',
      `
      import tensorflow as tf
      from tensorflow.keras.preprocessing.image import ImageDataGenerator
      from tensorflow.keras.applications.mobilenet_v2 import preprocess_input
      SIZE = (160, 160)
      val_ds = tf.keras.utils.image_dataset_from_directory('flowers/val', image_size=SIZE, batch_size=16)
      rescale = tf.keras.layers.Rescaling(1./127.5, offset=-1)
      val_ds = val_ds.map(lambda x, y: (rescale(x), y)).prefetch(tf.data.AUTOTUNE)
      test = ImageDataGenerator(rescale=1./255).flow_from_directory('flowers/test', target_size=(128, 128))
      train = ImageDataGenerator(preprocessing_function=preprocess_input, rotation_range=20).flow_from_directory('flowers/train')
      `,
      'evaluation data val_ds [flowers/val] resize 160 crop 160 scale 1/127.5 mean 1 nhwc rgb ×16 ? squashed 160 × 160',
      'evaluation data test [flowers/test] resize 128 crop 128 scale 1/255 nhwc rgb ×32 ? squashed 128 × 128',
      'training data train [flowers/train] resize 256 crop 256 scale 1/127.5 mean 1 nhwc rgb ×32 ? random rotation_range ? squashed 256 × 256',
    ],
    [
      'Keras: both subsets, functions that are mapped',
      `
      import tensorflow as tf
      train_ds, val_ds = tf.keras.utils.image_dataset_from_directory('cats', validation_split=0.2, subset='both')
      def process(image, label):
          image = tf.cast(image / 255., tf.float32)
          return image, label
      val_ds = val_ds.map(process)
      `,
      'evaluation data val_ds [cats] resize 256 crop 256 scale 1/255 nhwc rgb ×32 ? squashed 256 × 256',
    ],
    [
      'Keras: VGG takes BGR without its mean',
      `
      import numpy as np
      from tensorflow.keras.preprocessing import image
      from tensorflow.keras.applications.vgg16 import preprocess_input
      def load(path):
          img = image.load_img(path, target_size=(224, 224))
          x = np.expand_dims(image.img_to_array(img), axis=0)
          return preprocess_input(x)
      `,
      'unknown by-hand - resize 224 crop 224 scale 1/1 mean 103.94/116.78/123.68 nhwc bgr ? squashed 224 × 224',
    ],
    [
      'OpenCV and NumPy by hand',
      `
      import cv2
      import numpy as np
      import onnxruntime
      # cv2.imread
      MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
      STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)
      W, H = 640, 640
      def preprocess(path):
          img = cv2.imread(path)
          img = cv2.resize(img, (W, H))
          img = img[:, :, ::-1]
          img = img.astype(np.float32) / 255.0
          img = (img - MEAN) / STD
          return np.transpose(img, (2, 0, 1))[np.newaxis]
      `,
      `unknown by-hand - resize 640 crop 640 scale 1/255 ${imagenet} nchw rgb ? squashed 640 × 640`,
    ],
    [
      'constants of 0 to 255, and blobFromImage',
      `
      import cv2
      import numpy as np
      def one(frame):
          x = cv2.resize(cv2.imread(frame), (320, 320)).astype('float32')
          x -= np.array([0.485, 0.456, 0.406]) * 255
          return (x / (np.array([0.229, 0.224, 0.225]) * 255)).transpose(2, 0, 1)
      def two(path):
          return cv2.dnn.blobFromImage(cv2.imread(path), 1 / 128.0, (300, 300), (127.5, 127.5, 127.5), swapRB=True)
      `,
      'unknown by-hand - resize 320 crop 320 scale 1/1 mean 123.67/116.28/103.53 std 58.395/57.12/57.375 nchw bgr ? squashed 320 × 320',
      'unknown by-hand - resize 300 crop 300 scale 1/1 mean 127.5/127.5/127.5 std 128 nchw rgb ? squashed 300 × 300',
    ],
    [
      'channels that change places take their mean with them',
      `
      import cv2
      import numpy as np
      def load(path):
          img = (cv2.imread(path) - np.array([1., 2., 3.])) / 255.
          return img[..., ::-1].transpose(2, 0, 1)
      `,
      'unknown by-hand - scale 1/1 mean 3/2/1 std 255 nchw rgb',
    ],
    [
      'Pillow: its resize is bicubic',
      `
      import numpy as np
      from PIL import Image
      def load(path):
          image = Image.open(path).convert('RGB').resize((96, 96))
          return np.asarray(image, dtype=np.float32) / 127.5 - 1
      `,
      'unknown by-hand - resize 96 crop 96 scale 1/127.5 mean 1 nhwc rgb ? squashed 96 × 96 ? interpolation bicubic',
    ],
    [
      'a transform that is applied to a picture says which channels come first',
      `
      import cv2
      from torchvision import transforms
      tf = transforms.Compose([transforms.ToTensor()])
      def predict(path):
          return tf(cv2.imread(path)).unsqueeze(0)
      `,
      'unknown transform tf scale 1/255 nchw bgr',
    ],
    [
      'arrays of samples',
      `
      import numpy as np, torch
      from torch.utils.data import DataLoader, TensorDataset
      x = np.load('features.npy')
      cal = DataLoader(TensorDataset(torch.from_numpy(x)), batch_size=8)
      `,
      'unknown loader cal [features.npy] ×8',
    ],
    [
      'what loads elsewhere is unknown',
      `
      from torch.utils.data import DataLoader
      from mine import make_data
      loader = DataLoader(make_data('val'), batch_size=8)
      `,
      'unknown loader loader ×8 ? unknown-step dataset',
    ],
    ['nothing about data', 'import torch\nmodel = torch.nn.Linear(1, 1)\n'],
  ])('%s', (_why, source, ...expected) => check(source, ...expected));

  it('names the step that settles each value', async () => {
    const { text, found } = await pipelinesOf(`
      from torchvision import transforms as T
      tf = T.Compose([T.Resize(40), T.ToTensor(), T.Normalize([0.5], [0.25])])
    `);
    const evidence = Object.entries(found[0]?.evidence ?? {}).map(
      ([key, span]) => `${key}: ${text.slice(...span)}`,
    );
    expect(evidence).toEqual([
      'resize: T.Resize(40)',
      'scale: T.ToTensor()',
      'layout: T.ToTensor()',
      'mean: T.Normalize([0.5], [0.25])',
      'std: T.Normalize([0.5], [0.25])',
    ]);
  });

  it.each([
    ['ResNet18', 'DEFAULT', 256, 224],
    ['ResNet50', 'IMAGENET1K_V1', 256, 224],
    ['ResNet50', 'IMAGENET1K_V2', 232, 224],
    ['EfficientNet_B1', 'DEFAULT', 255, 240],
    ['Inception_V3', 'IMAGENET1K_V1', 342, 299],
    ['ViT_B_16', 'IMAGENET1K_SWAG_E2E_V1', 384, 384],
    ['ResNet18', 'IMAGENET1K_V2', undefined, undefined],
    ['FCN_ResNet50', 'DEFAULT', undefined, undefined],
  ])('knows what comes with %s %s', (model, weights, resize, crop) => {
    const preset = torchvisionPreset(model, weights);
    expect([preset?.resize, preset?.crop]).toEqual([resize, crop]);
  });
});
