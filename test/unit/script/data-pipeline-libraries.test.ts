/** Data of scripts with other libraries than torchvision, and what a pipeline tells beside its values. */
import { describe, expect, it } from 'vitest';
import { torchvisionPreset } from '../../../server/src/script/data-pipeline-presets';
import { check, imagenet, pipelinesOf } from './pipelines';

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
