/** The user's settings as the client sends them, checked value by value; anything odd falls back to its default. */
import { z } from 'zod';
import { defaultSettings, type Settings } from '../protocol/lsp-ext';
import { scriptTargets } from '../rules/script/script-rule';

const count = (fallback: number) => z.number().nonnegative().catch(fallback);
const flag = (fallback: boolean) => z.boolean().catch(fallback);

const schema = z.object({
  threads: count(defaultSettings.threads),
  memoryLimit: count(defaultSettings.memoryLimit),
  cacheSize: count(defaultSettings.cacheSize),
  analyzeOnOpen: count(defaultSettings.analyzeOnOpen),
  codeLens: z
    .object({
      model: flag(defaultSettings.codeLens.model),
      layer: flag(defaultSettings.codeLens.layer),
      recipe: flag(defaultSettings.codeLens.recipe),
      script: flag(defaultSettings.codeLens.script),
    })
    .catch(defaultSettings.codeLens),
  inlayHints: flag(defaultSettings.inlayHints),
  outputEffectAfterCalibration: flag(defaultSettings.outputEffectAfterCalibration),
  script: z
    .object({
      enabled: flag(defaultSettings.script.enabled),
      target: z
        .string()
        .refine((target) => scriptTargets.some((known) => known === target))
        .catch(defaultSettings.script.target),
    })
    .catch(defaultSettings.script),
  severity: z.record(z.string(), z.string()).catch({}),
  thresholds: z.record(z.string(), z.number()).catch({}),
});

/** Settings from the `quantlens` section; `undefined` and wrong types mean the defaults. */
export function readSettings(section: unknown): Settings {
  const parsed = schema.safeParse(section ?? {});
  return parsed.success ? parsed.data : defaultSettings;
}
