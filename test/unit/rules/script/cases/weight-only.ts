/** Cases of the rules on torchao, bitsandbytes, GPTQ and their relatives. */
import type { RuleCases } from './index';

export const weightOnlyCases = {
  S30: {
    bad: [
      'from torchao.quantization import quantize_, int4_weight_only\nquantize_(m, ⟦int4_weight_only⟧(group_size=32))\n',
      'import torchao.quantization as q\nq.quantize_(m, config=⟦q.quant_api.int8_weight_only⟧())\n',
    ],
    good: [
      'from torchao.quantization import quantize_, Int4WeightOnlyConfig\nquantize_(m, Int4WeightOnlyConfig())\n',
      'from torchao.quantization import quantize_\nfrom mine import int4_weight_only\nquantize_(m, int4_weight_only())\n',
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
} as const satisfies Record<string, RuleCases>;
