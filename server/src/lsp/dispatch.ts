/** One request: cancel becomes an abort signal, an error becomes a log line and an answer, never a crash. */
import {
  type CancellationToken,
  LSPErrorCodes,
  type RemoteConsole,
  ResponseError,
} from 'vscode-languageserver';
import { Cancelled } from '../engine/base/cancel';

/** Runs a handler whose failure must not reach the user as a stack: logs it and answers `fallback`. */
export function guarded<P, R>(
  console: RemoteConsole,
  name: string,
  fallback: R,
  handler: (params: P) => R,
): (params: P) => R {
  return (params) => {
    try {
      return handler(params);
    } catch (error) {
      if (error instanceof ResponseError) throw error;
      console.error(`${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      return fallback;
    }
  };
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
    if (error instanceof Cancelled) throw new ResponseError(LSPErrorCodes.RequestCancelled, 'cancelled');
    throw error;
  } finally {
    subscription.dispose();
  }
}
