/** One request: cancel becomes an abort signal, an error becomes a log line and an answer, never a crash. */
import {
  type CancellationToken,
  type ConnectionStrategy,
  LSPErrorCodes,
  Message,
  type RemoteConsole,
  ResponseError,
} from 'vscode-languageserver';
import { Cancelled } from '../engine/base/cancel';

export type { CancellationToken } from 'vscode-languageserver';

/** Cancelled requests that still wait in the queue are not even looked at. */
export const connectionStrategy: ConnectionStrategy = {
  cancelUndispatched: (message, next) =>
    Message.isRequest(message)
      ? {
          jsonrpc: '2.0',
          id: message.id,
          error: { code: LSPErrorCodes.RequestCancelled, message: 'cancelled' },
        }
      : next(message),
};

/** Runs a handler whose failure must not reach the user as a stack: logs it and answers `fallback`. */
export async function guarded<R>(
  console: RemoteConsole,
  name: string,
  fallback: R,
  handler: () => R | Promise<R>,
): Promise<R> {
  try {
    return await handler();
  } catch (error) {
    if (error instanceof ResponseError) throw error;
    console.error(`${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    return fallback;
  }
}

/** Runs a long handler under the request's token. */
export async function cancellable<R>(
  token: CancellationToken,
  handler: (signal: AbortSignal) => Promise<R>,
): Promise<R> {
  const controller = new AbortController();
  const subscription = token.onCancellationRequested(() => controller.abort());
  if (token.isCancellationRequested) controller.abort();
  try {
    return await handler(controller.signal);
  } catch (error) {
    if (error instanceof Cancelled) throw cancelled();
    throw error;
  } finally {
    subscription.dispose();
  }
}

/** Waits; ends the request when it is cancelled meanwhile. */
export async function pause(milliseconds: number, token: CancellationToken): Promise<void> {
  for (let attempt = 0; attempt < MAX_PAUSES; attempt++) {
    const began = performance.now();
    await delay(milliseconds, token);
    if (token.isCancellationRequested) throw cancelled();
    // A timer that comes late tells that this process was busy: messages may wait unread.
    if (performance.now() - began < 1.5 * milliseconds) return;
  }
}

const MAX_PAUSES = 4;

async function delay(milliseconds: number, token: CancellationToken): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      subscription.dispose();
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    const subscription = token.onCancellationRequested(done);
  });
}

/** The answer about a text that changed meanwhile: the editor asks again. */
export function outdated(isDiagnostic: boolean): ResponseError<unknown> {
  return isDiagnostic
    ? new ResponseError(LSPErrorCodes.ServerCancelled, 'the text changed', { retriggerRequest: true })
    : new ResponseError(LSPErrorCodes.ContentModified, 'the text changed');
}

function cancelled(): ResponseError<void> {
  return new ResponseError(LSPErrorCodes.RequestCancelled, 'cancelled');
}
