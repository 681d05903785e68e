/** The task type `quantlens`: findings of a file or folder into the Problems view, by the command line program. */
import * as vscode from 'vscode';

const type = 'quantlens';

/** As package.json declares it. */
interface LintTask extends vscode.TaskDefinition {
  /** File or folder; relative to the workspace folder. */
  readonly path?: string;
  readonly fix?: boolean;
}

/** Offers a task for the workspace, and runs those of tasks.json. */
export function registerTasks(context: vscode.ExtensionContext): vscode.Disposable {
  const program = context.asAbsolutePath('dist/cli.js');
  const task = (definition: LintTask, scope: vscode.WorkspaceFolder | vscode.TaskScope) => {
    const where = definition.path ?? '.';
    const target = vscode.workspace.getConfiguration('quantlens').get<string>('script.target') ?? '';
    const flags = [...(definition.fix ? ['--fix'] : []), ...(target === '' ? [] : ['--target', target])];
    // The editor's own program is a Node as well, if told so.
    const run = new vscode.ProcessExecution(process.execPath, [program, 'lint', ...flags, where], {
      env: { ELECTRON_RUN_AS_NODE: '1' },
    });
    const name = `lint ${where}`;
    return new vscode.Task(definition, scope, name, type, run, '$quantlens');
  };
  return vscode.tasks.registerTaskProvider(type, {
    provideTasks: () =>
      (vscode.workspace.workspaceFolders ?? []).map((folder) => task({ type, path: '.' }, folder)),
    resolveTask: ({ definition, scope }) =>
      definition.type === type
        ? task(definition as LintTask, scope === undefined ? vscode.TaskScope.Workspace : asScope(scope))
        : undefined,
  });
}

/** A task may not be global: what it lints lies in a workspace. */
function asScope(
  scope: NonNullable<vscode.Task['scope']>,
): vscode.WorkspaceFolder | vscode.TaskScope.Workspace {
  return typeof scope === 'object' ? scope : vscode.TaskScope.Workspace;
}
