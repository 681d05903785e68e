/** Cases of the rules on torchao and bitsandbytes calls that cannot work. */
import type { RuleCases } from './index';

export const weightOnlyMistakes = {
  S85: {
    bad: [
      `from torchao.quantization import quantize_
model = ⟦quantize_⟧(model, config)
`,
      `from torchao.quantization import quantize_
def main(net):
    small = ⟦quantize_⟧(net, config)
`,
    ],
    good: [
      `from torchao.quantization import quantize_
quantize_(model, config)
`,
      `from mine import quantize_
import torch
model = quantize_(model, config)
`,
    ],
    fixed: [
      `from torchao.quantization import quantize_
quantize_(model, config)
`,
    ],
  },
  S86: {
    bad: [
      `import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=torch.bfloat16)
model = AutoModelForCausalLM.from_pretrained("name", quantization_config=config).⟦half⟧()
`,
      `import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
config = BitsAndBytesConfig(load_in_8bit=True)
model = AutoModelForCausalLM.from_pretrained("name", quantization_config=config)
model.⟦to⟧(torch.float16)
`,
      `import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
config = BitsAndBytesConfig(load_in_8bit=True)
model = AutoModelForCausalLM.from_pretrained("name", quantization_config=config)
model = model.⟦cuda⟧()
`,
    ],
    good: [
      `import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=torch.bfloat16)
model = AutoModelForCausalLM.from_pretrained("name", quantization_config=config)
model.to("cuda")
`,
      `import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
model = AutoModelForCausalLM.from_pretrained("name").half()
`,
      `import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
config = BitsAndBytesConfig(load_in_8bit=True)
def main(quantized):
    model = AutoModelForCausalLM.from_pretrained("name", quantization_config=config)
    if not quantized:
        model.half()
`,
    ],
    fixed: [
      `import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=torch.bfloat16)
model = AutoModelForCausalLM.from_pretrained("name", quantization_config=config)
`,
    ],
  },
  S87: {
    bad: [
      `import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
config = BitsAndBytesConfig(load_in_4bit=True, ⟦load_in_8bit=True⟧)
`,
    ],
    good: [
      `import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
config = BitsAndBytesConfig(load_in_4bit=True, load_in_8bit=False)
`,
      `import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
config = BitsAndBytesConfig(load_in_4bit=four, load_in_8bit=not four)
`,
    ],
  },
  S88: {
    bad: [
      `import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=torch.bfloat16)
model = AutoModelForCausalLM.from_pretrained("name", ⟦load_in_4bit=True⟧, quantization_config=config)
`,
      `import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
config = BitsAndBytesConfig(load_in_8bit=True)
model = AutoModelForCausalLM.from_pretrained(
    "name",
    quantization_config=config,
    ⟦load_in_8bit=True⟧
)
`,
    ],
    good: [
      `import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
model = AutoModelForCausalLM.from_pretrained("name", load_in_4bit=True)
`,
      `import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
model = AutoModelForCausalLM.from_pretrained("name", load_in_4bit=True, quantization_config=None)
`,
      `import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
model = AutoModelForCausalLM.from_pretrained("name", load_in_4bit=flag, quantization_config=config)
`,
      `import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
model = AutoModelForCausalLM.from_pretrained("name", load_in_4bit=True, quantization_config=config if big else None)
`,
    ],
    fixed: [
      `import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=torch.bfloat16)
model = AutoModelForCausalLM.from_pretrained("name", quantization_config=config)
`,
      `import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
config = BitsAndBytesConfig(load_in_8bit=True)
model = AutoModelForCausalLM.from_pretrained(
    "name",
    quantization_config=config,
)
`,
    ],
  },
  S89: {
    bad: [
      `import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
from peft import PeftModel
config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=torch.bfloat16)
base = AutoModelForCausalLM.from_pretrained("name", quantization_config=config)
model = PeftModel.from_pretrained(base, "adapter")
merged = model.⟦merge_and_unload⟧()
`,
      `import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
from peft import get_peft_model, prepare_model_for_kbit_training
config = BitsAndBytesConfig(load_in_8bit=True)
base = prepare_model_for_kbit_training(AutoModelForCausalLM.from_pretrained("name", quantization_config=config))
model = get_peft_model(base, lora)
model.⟦merge_and_unload⟧()
`,
    ],
    good: [
      `import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
from peft import PeftModel
base = AutoModelForCausalLM.from_pretrained("name")
model = PeftModel.from_pretrained(base, "adapter").merge_and_unload()
`,
      `import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
from peft import PeftModel
def main(base):
    PeftModel.from_pretrained(base, "adapter").merge_and_unload()
`,
    ],
  },
  S90: {
    bad: [
      `from transformers import GPTQConfig
GPTQConfig(⟦bits=5⟧, dataset="c4")
`,
      `from transformers import BitsAndBytesConfig
BitsAndBytesConfig(load_in_4bit=True, ⟦bnb_4bit_quant_type="int4"⟧)
`,
      `from transformers import GPTQConfig
GPTQConfig(bits=4, ⟦dataset="wikitext"⟧)
`,
    ],
    good: [
      `# /// script
# dependencies = ["transformers<4.37"]
# ///
from transformers import GPTQConfig
GPTQConfig(bits=4, dataset="ptb")
`,
      `from transformers import GPTQConfig, BitsAndBytesConfig
GPTQConfig(bits=4, dataset=texts)
BitsAndBytesConfig(bnb_4bit_quant_type=kind)
GPTQConfig(bits=bits)
`,
    ],
  },
} as const satisfies Record<string, RuleCases>;
