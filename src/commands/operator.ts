import { hostname, userInfo } from 'node:os';

/** Who runs this command, for the audit log: a login name and a host. As good as the host's word. */
export function operator(): string {
  return `${loginName()}@${hostname()}`;
}

/** A container's user may have no entry in its passwd. */
function loginName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? '?'}`;
  }
}
