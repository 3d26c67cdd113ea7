/** What an operator can ask for, by NOTIFY or by a command. `user` asks for one user's resync. */
export type ControlCommand =
  | { readonly name: 'resync' }
  | { readonly name: 'resync'; readonly authId: string }
  | { readonly name: 'pause' }
  | { readonly name: 'resume' };

/** Who rang. `poll` is the backlog poll, `start` the process's own start, `reconnect` a source that has missed an unknown time. */
export type SourceName = 'notify' | 'realtime' | 'poll' | 'timer' | 'control' | 'start' | 'reconnect';

/** One item of a stream. It says "look now" and where; it carries no work and no data: state is the truth. */
export type Signal = SignalBody & { readonly source: SourceName };

type SignalBody =
  /** Look at this user; without an id, at whoever waits. */
  | { readonly kind: 'user'; readonly authId: string | null }
  | { readonly kind: 'sweep'; readonly reason: string }
  /** A raw command heard on the control channel (to be recorded once), or, with null, only "the control row changed". */
  | { readonly kind: 'control'; readonly command: ControlCommand | null; readonly senderPid: number | null };
