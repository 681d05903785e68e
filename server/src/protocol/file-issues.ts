/** Facts of issues on files as such: whether they are there, what they are, where they can be written. */
export interface FileFacts {
  'file-not-found': { readonly path: string };
  /** A comment in a script names a model that is not there; models around it, the likeliest first. */
  'script-model-missing': { readonly path: string; readonly near: readonly string[] };
  /** Layers of the script's network that have a weight in the model it names; no network = none fits. */
  'script-model-partly': {
    readonly path: string;
    readonly network?: string;
    readonly tied: number;
    readonly layers: number;
  };
  'file-unreadable': { readonly path: string; readonly reason: string };
  'file-empty': { readonly path: string };
  'file-is-folder': { readonly path: string };
  'format-unknown': {
    readonly path: string;
    readonly looksLike?: 'html' | 'git-lfs' | 'text' | 'zip' | 'pytorch';
  };
  'format-damaged': { readonly path: string; readonly offset: number; readonly reason: string };
  'format-truncated': { readonly path: string; readonly need: number; readonly have: number };
  'format-limit': {
    readonly path: string;
    readonly what: string;
    readonly value: number;
    readonly limit: number;
  };
  'file-changed': { readonly path: string };
  /** Parts of a split weight file that are not there, or that lie outside its folder. */
  'parts-missing': {
    readonly path: string;
    readonly parts: readonly string[];
    readonly total: number;
    readonly why: 'missing' | 'outside';
  };
  /** The place for the output is wrong: no such folder, no permission, a folder itself. */
  'output-unusable': { readonly path: string; readonly reason: string };
  'write-failed': { readonly path: string; readonly reason: string };
  'write-over-source': { readonly path: string };
}
