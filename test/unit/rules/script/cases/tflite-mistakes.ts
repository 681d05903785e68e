/** Cases of the rules on settings of the TensorFlow Lite converter that cannot work. */
import type { RuleCases } from './index';

export const tfliteMistakes = {
  S75: {
    bad: [
      `import numpy as np
import tensorflow as tf
converter = tf.lite.TFLiteConverter.from_keras_model(model)
⟦converter.representative_dataset⟧ = samples
converter.convert()
`,
    ],
    good: [
      `import numpy as np
import tensorflow as tf
converter = tf.lite.TFLiteConverter.from_keras_model(model)
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.representative_dataset = samples
`,
      `import numpy as np
import tensorflow as tf
converter = tf.lite.TFLiteConverter.from_keras_model(model)
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
converter.representative_dataset = samples
`,
      `import numpy as np
import tensorflow as tf
converter = tf.lite.TFLiteConverter.from_keras_model(model)
converter.representative_dataset = None
`,
      `import tensorflow as tf
self.representative_dataset = samples
`,
    ],
  },
  S76: {
    bad: [
      `import numpy as np
import tensorflow as tf
converter = tf.lite.TFLiteConverter.from_keras_model(model)
converter.optimizations = ⟦tf.lite.Optimize.DEFAULT⟧
`,
    ],
    good: [
      `import numpy as np
import tensorflow as tf
converter = tf.lite.TFLiteConverter.from_keras_model(model)
converter.optimizations = [tf.lite.Optimize.DEFAULT]
`,
      `import numpy as np
import tensorflow as tf
converter = tf.lite.TFLiteConverter.from_keras_model(model)
converter.optimizations = chosen
`,
    ],
    fixed: [
      `import numpy as np
import tensorflow as tf
converter = tf.lite.TFLiteConverter.from_keras_model(model)
converter.optimizations = [tf.lite.Optimize.DEFAULT]
`,
    ],
  },
  S77: {
    bad: [
      `import numpy as np
import tensorflow as tf
converter = tf.lite.TFLiteConverter.from_keras_model(model)
def samples():
    yield [one]
converter.representative_dataset = ⟦samples()⟧
converter.optimizations = o
`,
      `import numpy as np
import tensorflow as tf
converter = tf.lite.TFLiteConverter.from_keras_model(model)
def samples(data):
    for one in data:
        yield [one]
def convert(data):
    converter.representative_dataset = ⟦samples(data)⟧
    converter.optimizations = o
`,
      `import numpy as np
import tensorflow as tf
converter = tf.lite.TFLiteConverter.from_keras_model(model)
converter.representative_dataset = ⟦[images]⟧
converter.optimizations = o
`,
    ],
    good: [
      `import numpy as np
import tensorflow as tf
converter = tf.lite.TFLiteConverter.from_keras_model(model)
def samples():
    yield [one]
converter.representative_dataset = samples
converter.optimizations = o
`,
      `import numpy as np
import tensorflow as tf
converter = tf.lite.TFLiteConverter.from_keras_model(model)
def make(data):
    def samples():
        yield [one]
    return samples
converter.representative_dataset = make(data)
converter.optimizations = o
`,
      `import numpy as np
import tensorflow as tf
converter = tf.lite.TFLiteConverter.from_keras_model(model)
converter.representative_dataset = tf.lite.RepresentativeDataset(samples)
converter.optimizations = o
`,
    ],
    fixed: [
      `import numpy as np
import tensorflow as tf
converter = tf.lite.TFLiteConverter.from_keras_model(model)
def samples():
    yield [one]
converter.representative_dataset = samples
converter.optimizations = o
`,
      `import numpy as np
import tensorflow as tf
converter = tf.lite.TFLiteConverter.from_keras_model(model)
def samples(data):
    for one in data:
        yield [one]
def convert(data):
    converter.representative_dataset = lambda: samples(data)
    converter.optimizations = o
`,
    ],
  },
  S78: {
    bad: [
      `import numpy as np
import tensorflow as tf
converter = tf.lite.TFLiteConverter.from_keras_model(model)
def samples():
    for image in images:
        yield ⟦np.expand_dims(image, 0).astype(np.float32)⟧
converter.representative_dataset = samples
converter.optimizations = o
`,
      `import numpy as np
import tensorflow as tf
converter = tf.lite.TFLiteConverter.from_keras_model(model)
def samples():
    for image in images:
        batch = tf.cast(image, tf.float32)
        yield ⟦batch⟧
converter.representative_dataset = samples
converter.optimizations = o
`,
    ],
    good: [
      `import numpy as np
import tensorflow as tf
converter = tf.lite.TFLiteConverter.from_keras_model(model)
def samples():
    for image in images:
        yield [np.expand_dims(image, 0)]
        yield {"x": image}
        yield image
converter.representative_dataset = samples
converter.optimizations = o
`,
      `import numpy as np
import tensorflow as tf
converter = tf.lite.TFLiteConverter.from_keras_model(model)
def others():
    yield np.zeros(3)
converter.representative_dataset = samples
converter.optimizations = o
`,
    ],
    fixed: [
      `import numpy as np
import tensorflow as tf
converter = tf.lite.TFLiteConverter.from_keras_model(model)
def samples():
    for image in images:
        yield [np.expand_dims(image, 0).astype(np.float32)]
converter.representative_dataset = samples
converter.optimizations = o
`,
      `import numpy as np
import tensorflow as tf
converter = tf.lite.TFLiteConverter.from_keras_model(model)
def samples():
    for image in images:
        batch = tf.cast(image, tf.float32)
        yield [batch]
converter.representative_dataset = samples
converter.optimizations = o
`,
    ],
  },
} as const satisfies Record<string, RuleCases>;
