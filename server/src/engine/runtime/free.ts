/**
 * Gives the memory of tensors back at once. The garbage collector learns late of arrays that lie outside its heap:
 * tens of megabytes of outputs of earlier runs would pile up and be the peak of a calibration.
 */
import { once } from 'node:events';
import { MessageChannel } from 'node:worker_threads';
import type { RuntimeTensor } from './runtime-tensor';

/** Detaches all but small arrays: nothing may read them, or others over the same buffers, any more. */
export type FreeTensors = (tensors: Iterable<RuntimeTensor>) => void;

/** Smaller arrays are left to the garbage collector: detaching costs more than they do. */
const SMALL_BYTES = 4096;

/**
 * The first array that is detached makes V8 throw away all compiled code that reads arrays, to be compiled again in the
 * middle of a job: a tenth of a short calibration. So one is detached before there is any. (Growing detaches the old one.)
 */
new WebAssembly.Memory({ initial: 0, maximum: 1 }).grow(1);

/** What is transferred to a closed port has nobody to receive it and is dropped. */
export async function tensorDrain(): Promise<FreeTensors> {
  const { port1, port2 } = new MessageChannel();
  const closed = once(port1, 'close');
  // Otherwise nothing might keep the process alive until then.
  port1.ref();
  port2.close();
  await closed;
  return (tensors) => {
    const buffers = new Set<ArrayBuffer>();
    for (const { data } of tensors) {
      if (!ArrayBuffer.isView(data) || data.byteLength < SMALL_BYTES) continue;
      if (data.buffer instanceof ArrayBuffer) buffers.add(data.buffer);
    }
    if (buffers.size > 0) port1.postMessage(undefined, [...buffers]);
  };
}
