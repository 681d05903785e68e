/** What a webview may load, and that texts cannot leave their attribute. */
import { describe, expect, it } from 'vitest';
import { pageHtml } from '../../../client/src/webview-html';

const parts = {
  name: 'model',
  title: 'a.onnx',
  language: 'en',
  source: 'https://host.test',
  nonce: 'abc=',
  script: 'https://host.test/model.js',
  styles: ['https://host.test/theme.css', 'https://host.test/model.css'],
  data: { words: '{"a":"b"}' },
};

describe('page of a webview', () => {
  const html = pageHtml(parts);

  it('has a policy that allows one script by nonce and nothing by default', () => {
    const policy = /Content-Security-Policy" content="([^"]*)"/.exec(html)?.[1]?.replaceAll('&#39;', "'");
    expect(policy?.split('; ')).toEqual([
      "default-src 'none'",
      "script-src 'nonce-abc='",
      "style-src https://host.test 'unsafe-inline'",
      'font-src https://host.test',
    ]);
  });

  it('holds one script, which is not inline, and no event attributes', () => {
    const scripts = html.match(/<script[^>]*>[\s\S]*?<\/script>/g);
    expect(scripts).toEqual([
      '<script type="module" nonce="abc=" src="https://host.test/model.js"></script>',
    ]);
    expect(html).not.toMatch(/\son\w+=/);
  });

  it('escapes whatever comes from outside', () => {
    const evil = `"><script>alert('x')</script>&`;
    const infected = pageHtml({ ...parts, title: evil, data: { words: evil, findings: evil } });
    expect(infected.match(/<script/g)).toHaveLength(1);
    expect(infected).toContain('&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;');
    expect(infected.match(/<[a-z]/g)?.length).toBe(html.match(/<[a-z]/g)?.length);
  });
});
