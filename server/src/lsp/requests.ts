/** The project's own requests and notifications (`protocol/lsp-ext.ts`), each to the part that answers it. */
import type { Engine } from '../engine/index';
import {
  type CalibrateParams,
  type CancelJobParams,
  type CompareParams,
  calibrateRequest,
  cancelJob,
  clearCacheRequest,
  compareRequest,
  type ExportCodeParams,
  exportCodeRequest,
  type ForgetRunsParams,
  forgetRunsRequest,
  type HistoryParams,
  historyRequest,
  type LayerDetailParams,
  layerDetailRequest,
  type ModelViewParams,
  modelViewRequest,
  type OutputEffectParams,
  outputEffectRequest,
  type QuantizeParams,
  quantizeRequest,
  type RecipeEditParams,
  type RecipeEditReply,
  recipeEditRequest,
  type TrustChangedParams,
  trustChanged,
  type WhatIfParams,
  whatIfRequest,
} from '../protocol/lsp-ext';
import { exportCode } from './commands/export-code';
import type { Jobs } from './commands/jobs';
import { whatIf } from './commands/what-if';
import { pathOf } from './convert';
import { type CancellationToken, cancellable } from './dispatch';
import type { History } from './history';
import type { Workspace } from './workspace';

export interface RequestHost {
  readonly jobs: Jobs;
  readonly history: History;
  readonly workspace: Workspace;
  readonly engine: Engine;
  /** The client sent a request of its own: it understands the server's own notifications. */
  known(): void;
  /** A job began or ended. */
  activityChanged(): void;
  recipeEdit(params: RecipeEditParams): RecipeEditReply;
  trust(trusted: boolean): void;
}

/** The part of a connection that is used here. */
export interface Requests {
  onRequest<P, R>(method: string, handler: (params: P, token: CancellationToken) => R): unknown;
  onNotification<P>(method: string, handler: (params: P) => void): unknown;
}

export function listenRequests(connection: Requests, host: RequestHost): void {
  const { jobs, history, workspace } = host;
  /** A long request: cancelled by its token, and told to the status while it runs. */
  const job = <P, R>(method: string, run: (params: P, signal: AbortSignal) => Promise<R>) =>
    connection.onRequest<P, Promise<R>>(method, (params, token) =>
      cancellable(token, async (signal) => {
        host.known();
        const answer = run(params, signal);
        host.activityChanged();
        return answer.finally(() => host.activityChanged());
      }),
    );
  job<CalibrateParams, unknown>(calibrateRequest, (params, signal) => jobs.calibrate(params, signal));
  job<QuantizeParams, unknown>(quantizeRequest, (params, signal) => jobs.quantize(params, signal));
  job<CompareParams, unknown>(compareRequest, (params, signal) => jobs.compare(params, signal));
  job<LayerDetailParams, unknown>(layerDetailRequest, (params, signal) => jobs.layerDetail(params, signal));
  job<OutputEffectParams, unknown>(outputEffectRequest, (params, signal) =>
    jobs.outputEffect(params, signal),
  );
  connection.onNotification<CancelJobParams>(cancelJob, ({ jobId }) => jobs.cancel(jobId));

  connection.onRequest<ModelViewParams, unknown>(modelViewRequest, ({ uri, measure }) => {
    host.known();
    const file = pathOf(uri);
    workspace.analyze(file, measure ?? false);
    return workspace.view(file);
  });
  connection.onRequest<WhatIfParams, unknown>(whatIfRequest, (question, token) =>
    cancellable(token, (signal) => whatIf(host, question, signal)),
  );
  connection.onRequest<ExportCodeParams, unknown>(exportCodeRequest, (params, token) =>
    cancellable(token, (signal) => exportCode(host, params, signal)),
  );
  connection.onRequest<RecipeEditParams, unknown>(recipeEditRequest, (params) => host.recipeEdit(params));
  connection.onRequest<HistoryParams, unknown>(historyRequest, ({ modelUri }) => {
    host.known();
    return history.list(modelUri);
  });
  connection.onRequest<ForgetRunsParams, unknown>(forgetRunsRequest, ({ ids }) => {
    history.forget(ids);
    return null;
  });
  connection.onNotification<TrustChangedParams>(trustChanged, ({ trusted }) => host.trust(trusted));
  connection.onRequest<object, unknown>(clearCacheRequest, () => {
    const freed = host.engine.clear();
    workspace.clear();
    return freed;
  });
}
