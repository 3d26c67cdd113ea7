import { describe, expect, it } from 'vitest';
import { addressForLogs } from '../../src/commands/logAddress.js';
import { faultOf } from '../support/faultOf.js';

const at = (http_url: string, host = 'here') => ({ host, pid: 7, http_url });
const TOKEN = 'a-token-of-some-length';

describe("where an instance's log is read", () => {
  it('is its own address, and loopback where it listens on every address of this host', () => {
    expect(addressForLogs(at('http://127.0.0.1:8787'), undefined, 'here').url.origin).toBe('http://127.0.0.1:8787');
    expect(addressForLogs(at('http://here:8787'), TOKEN, 'here').url.origin).toBe('http://127.0.0.1:8787');
    expect(addressForLogs(at('http://10.0.0.5:8787'), TOKEN, 'here').url.origin).toBe('http://10.0.0.5:8787');
    expect(addressForLogs(at('http://there:8787', 'there'), TOKEN, 'here').url.origin).toBe('http://there:8787');
  });

  it('on another host needs the token: the error names the host and what to do', () => {
    const fault = faultOf(() => addressForLogs(at('http://there:8787', 'there'), undefined, 'here'));
    expect(fault.kind).toBe('usage');
    expect(fault.explain()).toMatch(/host there, and HTTP_TOKEN is not set[\s\S]*mend: set HTTP_TOKEN to the one of there/);
  });

  it('on another host that answers only there is nowhere: the error names the host and what to do', () => {
    const fault = faultOf(() => addressForLogs(at('http://127.0.0.1:8787', 'there'), TOKEN, 'here'));
    expect(fault.explain()).toMatch(/runs on host there and answers only there[\s\S]*mend: run this on there, or set HTTP_HOST/);
  });
});
