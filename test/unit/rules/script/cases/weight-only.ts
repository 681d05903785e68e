/** Cases of the rules on torchao, bitsandbytes, GPTQ and their relatives. */
import type { RuleCases } from './index';

const ao =
  'from torchao.quantization import quantize_, Int4WeightOnlyConfig, Int8WeightOnlyConfig, Int8DynamicActivationInt4WeightConfig\n';
const bits = 'from transformers import AutoModelForCausalLM, BitsAndBytesConfig\n';
const older = '# pip install transformers==4.38.2\n';
const gptq = 'from transformers import AutoModelForCausalLM, GPTQConfig\n';

export const weightOnlyCases = {
  S27: {
    bad: [
      `${ao}quantize_(m, Int4WeightOnlyConfig(⟦group_size=48⟧))\n`,
      `${ao}import torch.nn as nn\nclass Net(nn.Module):\n    def __init__(self):\n        self.fc = nn.Linear(100, 10)\nconfig = Int4WeightOnlyConfig(⟦group_size=64⟧)\nquantize_(Net(), config)\n`,
    ],
    good: [
      `${ao}quantize_(m, Int4WeightOnlyConfig(group_size=64))\n`,
      `${ao}quantize_(m, Int4WeightOnlyConfig(group_size=size))\n`,
      `${ao}import torch.nn as nn\nclass Net(nn.Module):\n    def __init__(self, n):\n        self.fc = nn.Linear(n, 10)\nquantize_(Net(4), Int4WeightOnlyConfig(group_size=64))\n`.replace(
        'Linear(n, 10)',
        'Linear(128, 10)',
      ),
    ],
  },
  S28: {
    bad: [
      `${ao}quantize_(m, ⟦Int4WeightOnlyConfig⟧())\n`,
      `${ao}quantize_(m, ⟦Int8DynamicActivationInt4WeightConfig⟧())\n`,
    ],
    fixed: [`${ao}quantize_(m, Int4WeightOnlyConfig(group_size=128))\n`],
    good: [
      `${ao}quantize_(m, Int4WeightOnlyConfig(group_size=128))\n`,
      `${ao}quantize_(m, Int8WeightOnlyConfig())\n`,
    ],
  },
  S29: {
    bad: [
      `${ao}quantize_(m, Int8WeightOnlyConfig(⟦group_size=64⟧))\n`,
      `${ao}quantize_(m, Int8WeightOnlyConfig(⟦version=1⟧))\n`,
    ],
    good: [
      `${ao}quantize_(m, Int8WeightOnlyConfig(granularity=g))\n`,
      `${ao}quantize_(m, Int8WeightOnlyConfig(group_size=None))\n`,
    ],
  },
  S30: {
    bad: [
      'from torchao.quantization import quantize_, int4_weight_only\nquantize_(m, ⟦int4_weight_only⟧(group_size=32))\n',
      'import torchao.quantization as q\nq.quantize_(m, config=⟦q.quant_api.int8_weight_only⟧())\n',
      'from torchao.quantization import quantize_, Int4WeightOnlyConfig\nquantize_(m, ⟦Int4WeightOnlyConfig⟧)\n',
      'import torchao.quantization as q\nq.quantize_(m, config=⟦q.int8_weight_only⟧)\n',
    ],
    fixed: [
      'from torchao.quantization import quantize_, int4_weight_only\nquantize_(m, int4_weight_only(group_size=32))\n',
      'import torchao.quantization as q\nq.quantize_(m, config=q.quant_api.int8_weight_only())\n',
      'from torchao.quantization import quantize_, Int4WeightOnlyConfig\nquantize_(m, Int4WeightOnlyConfig())\n',
      'import torchao.quantization as q\nq.quantize_(m, config=q.int8_weight_only())\n',
    ],
    good: [
      'from torchao.quantization import quantize_\nfrom mine import Int4WeightOnlyConfig\nquantize_(m, Int4WeightOnlyConfig)\n',
      'from torchao.quantization import quantize_, Int4WeightOnlyConfig\nconfig = Int4WeightOnlyConfig()\nquantize_(m, config)\n',
      'from torchao.quantization import quantize_, Int4WeightOnlyConfig\nquantize_(m, Int4WeightOnlyConfig())\n',
      'from torchao.quantization import quantize_\nfrom mine import int4_weight_only\nquantize_(m, int4_weight_only())\n',
    ],
  },
  S31: {
    bad: [
      `${ao}from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("x")\n⟦quantize_⟧(m, Int4WeightOnlyConfig(group_size=128))\n`,
    ],
    good: [
      `${ao}from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("x")\nquantize_(m, Int4WeightOnlyConfig(group_size=128), filter_fn=keep)\n`,
      `${ao}from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("x")\nquantize_(m, Int8WeightOnlyConfig())\n`,
      `${ao}quantize_(m, Int4WeightOnlyConfig(group_size=128))\n`,
    ],
  },
  S32: {
    bad: [
      'from transformers import BitsAndBytesConfig\nc = BitsAndBytesConfig(⟦load_in_4bit=True⟧)\n',
      'import transformers\nc = transformers.BitsAndBytesConfig(\n    ⟦load_in_4bit=True⟧,\n    bnb_4bit_quant_type="nf4",\n)\n',
    ],
    fixed: [
      'from transformers import BitsAndBytesConfig\nc = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype="bfloat16")\n',
      'import transformers\nc = transformers.BitsAndBytesConfig(\n    load_in_4bit=True,\n    bnb_4bit_quant_type="nf4",\n    bnb_4bit_compute_dtype="bfloat16",\n)\n',
    ],
    good: [
      'from transformers import BitsAndBytesConfig\nc = BitsAndBytesConfig(load_in_8bit=True)\n',
      'from transformers import BitsAndBytesConfig\nc = BitsAndBytesConfig(load_in_4bit=True, **more)\n',
      'from transformers import BitsAndBytesConfig\nc = BitsAndBytesConfig(load_in_4bit=flag)\n',
      'import torch\nfrom transformers import BitsAndBytesConfig\nc = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=torch.float16)\n',
    ],
  },
  S33: {
    bad: [
      `${bits}from peft import LoraConfig\nc = BitsAndBytesConfig(load_in_4bit=True, ⟦bnb_4bit_quant_type="fp4"⟧)\n`,
      `${bits}from peft import LoraConfig\nc = ⟦BitsAndBytesConfig⟧(load_in_4bit=True)\n`,
    ],
    good: [
      `${bits}from peft import LoraConfig\nc = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")\n`,
      `${bits}c = BitsAndBytesConfig(load_in_4bit=True)\n`,
      `${bits}from peft import LoraConfig\nc = BitsAndBytesConfig(load_in_8bit=True)\n`,
    ],
  },
  S34: {
    bad: [
      `${bits}import torch\nm = AutoModelForCausalLM.from_pretrained("x", quantization_config=c)\nm.train()\no = torch.optim.AdamW(⟦m.parameters()⟧, lr=1e-4)\n`,
    ],
    good: [
      `${bits}import torch\nfrom peft import get_peft_model\nm = AutoModelForCausalLM.from_pretrained("x", quantization_config=c)\nm = get_peft_model(m, l)\no = torch.optim.AdamW(m.parameters(), lr=1e-4)\n`,
      `${bits}import torch\nm = AutoModelForCausalLM.from_pretrained("x")\no = torch.optim.AdamW(m.parameters(), lr=1e-4)\n`,
      `${bits}import torch\nm = AutoModelForCausalLM.from_pretrained("x", quantization_config=c)\nm.add_adapter(a)\no = torch.optim.AdamW(m.parameters(), lr=1e-4)\n`,
    ],
  },
  S35: {
    bad: [
      `${bits}from peft import prepare_model_for_kbit_training\nm = AutoModelForCausalLM.from_pretrained("x", quantization_config=c, ⟦device_map="auto"⟧)\nm = prepare_model_for_kbit_training(m)\n`,
      `${bits}from peft import prepare_model_for_kbit_training
def load(quick):
    if quick:
        m = AutoModelForCausalLM.from_pretrained("x", quantization_config=c, ⟦device_map="auto"⟧)
    else:
        m = AutoModelForCausalLM.from_pretrained("x", device_map="auto", **more)
    return prepare_model_for_kbit_training(m)
`,
    ],
    good: [
      `${bits}from peft import prepare_model_for_kbit_training
m = AutoModelForCausalLM.from_pretrained("x", quantization_config=c, device_map="auto")
m.generate(ids)
m = AutoModelForCausalLM.from_pretrained("x", quantization_config=c)
m = prepare_model_for_kbit_training(m)
m = AutoModelForCausalLM.from_pretrained("x", quantization_config=c, device_map="auto")
`,
      `${bits}m = AutoModelForCausalLM.from_pretrained("x", quantization_config=c, device_map="auto")\n`,
      `${bits}from peft import prepare_model_for_kbit_training\nm = AutoModelForCausalLM.from_pretrained("x", quantization_config=c, device_map={"": 0})\nm = prepare_model_for_kbit_training(m)\n`,
    ],
  },
  S36: {
    bad: [
      `${bits}m = AutoModelForCausalLM.from_pretrained("TheBloke/Llama-2-7B-GPTQ", ⟦quantization_config=c⟧)\n`,
    ],
    good: [
      `${bits}m = AutoModelForCausalLM.from_pretrained("TheBloke/Llama-2-7B-GPTQ")\n`,
      `${bits}m = AutoModelForCausalLM.from_pretrained("meta/Llama-2-7B", quantization_config=c)\n`,
    ],
  },
  S37: {
    bad: [
      `${gptq}c = ⟦GPTQConfig⟧(bits=4, tokenizer=t)\n`,
      `${gptq}c = GPTQConfig(bits=4, tokenizer=t, ⟦dataset=["a sentence"]⟧)\n`,
    ],
    good: [
      `${gptq}c = GPTQConfig(bits=4, tokenizer=t, dataset="c4")\n`,
      `${gptq}c = GPTQConfig(bits=4, use_exllama=False)\n`,
      `${gptq}c = GPTQConfig(bits=4, dataset="c4")\n`,
      `${gptq}c = GPTQConfig(bits=4, tokenizer=t, dataset=texts)\n`,
    ],
  },
  S38: {
    bad: [
      `${older}${gptq}c = ⟦GPTQConfig⟧(bits=4)\nm = AutoModelForCausalLM.from_pretrained("x", device_map="cpu", quantization_config=c)\n`,
    ],
    fixed: [
      `${older}${gptq}c = GPTQConfig(bits=4, use_exllama=False)\nm = AutoModelForCausalLM.from_pretrained("x", device_map="cpu", quantization_config=c)\n`,
    ],
    good: [
      `${gptq}c = GPTQConfig(bits=4)\nm = AutoModelForCausalLM.from_pretrained("x", device_map="cpu", quantization_config=c)\n`,
      `# pip install "transformers>=5"\n${gptq}c = GPTQConfig(bits=4)\nm = AutoModelForCausalLM.from_pretrained("x", device_map="cpu", quantization_config=c)\n`,
      `${older}import gptqmodel\n${gptq}c = GPTQConfig(bits=4)\nm = AutoModelForCausalLM.from_pretrained("x", device_map="cpu", quantization_config=c)\n`,
      `${older}${gptq}c = GPTQConfig(bits=4, use_exllama=False)\nm = AutoModelForCausalLM.from_pretrained("x", device_map="cpu", quantization_config=c)\n`,
      `${older}${gptq}c = GPTQConfig(bits=4)\nm = AutoModelForCausalLM.from_pretrained("x", device_map="auto", quantization_config=c)\n`,
    ],
  },
  S39: {
    bad: [
      'import torch\n⟦from auto_gptq import AutoGPTQForCausalLM⟧\n',
      'import torch\ntry:\n    ⟦import auto_gptq⟧\nexcept ImportError:\n    pass\n',
    ],
    good: ['import torch\nfrom gptqmodel import GPTQModel\n'],
  },
} as const satisfies Record<string, RuleCases>;
