/** Optional properties of the plain ONNX structs. */

/** The object without its `undefined` properties, so that absent stays absent. */
export function present<T extends object>(object: T): Partial<T> {
  const kept: Partial<T> = {};
  for (const key of Object.keys(object) as (keyof T)[]) {
    if (object[key] !== undefined) kept[key] = object[key];
  }
  return kept;
}
