/** The only door between a webview and the extension host: typed messages, the page's own memory, its words. */

interface HostApi {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}

declare function acquireVsCodeApi(): HostApi;

/** Messages to the host, messages from it, and state that survives hiding the page. */
export interface Host<To, From, State> {
  post(message: To): void;
  listen(receive: (message: From) => void): void;
  /** What {@link remember} kept; undefined in a new page. */
  recall(): Partial<State> | undefined;
  remember(state: State): void;
}

/** The host of this page; may be asked for once. */
export function connect<To, From, State>(): Host<To, From, State> {
  const api = acquireVsCodeApi();
  return {
    post: (message) => api.postMessage(message),
    listen: (receive) => {
      // Only the host frame can post into this frame; its messages are the unions of protocol/panel.ts.
      window.addEventListener('message', (event: MessageEvent<From>) => receive(event.data));
    },
    recall: () => {
      const state = api.getState();
      return typeof state === 'object' && state !== null ? (state as Partial<State>) : undefined;
    },
    remember: (state) => api.setState(state),
  };
}

let words: Readonly<Record<string, string>> | undefined;

/** A translated text of the page, `{0}` replaced by the first value and so on. An unknown key shows itself. */
export function say(key: string, ...values: readonly (string | number)[]): string {
  words ??= JSON.parse(document.body.dataset.words ?? '{}') as Readonly<Record<string, string>>;
  const text = words[key] ?? key;
  return text.replace(/\{(\d)\}/g, (whole, index) => String(values[Number(index)] ?? whole));
}
