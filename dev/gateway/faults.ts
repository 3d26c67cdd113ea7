/** What a test or the demo can break, one switch each. */
export interface Faults {
  /** On: channels join and say SUBSCRIBED, heartbeats are answered, and no change is delivered. What is muted is never sent later. */
  muteChanges(on: boolean): void;
  /** Cuts every open socket once, without a closing handshake, as a broken network does. */
  dropSockets(): void;
  /** On: new sockets are answered 503. Open ones stay. */
  refuseSockets(on: boolean): void;
  /** The next `times` calls to the Auth API are answered with `status`. */
  failAuth(times: number, status: number): void;
}

/** The switches' positions, as the gateway's parts read them. */
export interface FaultState {
  changesMuted: boolean;
  socketsRefused: boolean;
  /** The status to answer this call with, or null; counts the call. */
  takeAuthFailure(): number | null;
}

/** Makes the switches. `cutSockets` ends all open sockets. */
export function createFaults(cutSockets: () => void): { faults: Faults; state: FaultState } {
  const failures: number[] = [];
  const state: FaultState = {
    changesMuted: false,
    socketsRefused: false,
    takeAuthFailure: () => failures.shift() ?? null,
  };
  const faults: Faults = {
    muteChanges: (on) => void (state.changesMuted = on),
    dropSockets: cutSockets,
    refuseSockets: (on) => void (state.socketsRefused = on),
    failAuth: (times, status) => void failures.push(...Array.from({ length: times }, () => status)),
  };
  return { faults, state };
}
