import type { ByteSource } from '../base/byte-source';
import { issue } from '../base/issue';
import { fail, type Outcome } from '../base/outcome';
import type { FactsOptions, ModelFacts } from './model-facts';
export function weightFileFacts(source: ByteSource, format: 'safetensors' | 'gguf', _options: FactsOptions): Outcome<ModelFacts> {
  return fail(issue('unsupported-feature', { what: `${format} files`, next: 'convert' }, { path: source.path }));
}
