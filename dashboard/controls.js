// The buttons that tell the service something, and what came of it.
import { ApiError, postControl } from './api.js';
import { confirm } from './confirm.js';
import { byId, setText } from './dom.js';
import { isUuid, plural } from './format.js';

/** @typedef {'pause' | 'resume' | 'resync' | 'retry'} Command */

/** An outcome is told so long; what is so for good is in the verdict. */
const SHOWN_MS = 60_000;

/** Wires the buttons. @param {() => void} onDone called when the service did what it was told */
export function createControls(onDone) {
  const outcome = byId('outcome');
  let timer = 0;
  /** @param {string} text @param {'done' | 'failed' | 'asking'} state */
  const say = (text, state) => {
    outcome.dataset['state'] = state;
    setText(outcome, text);
    clearTimeout(timer);
    timer = window.setTimeout(() => setText(outcome, ''), SHOWN_MS);
  };
  /** @param {Command} command @param {string | null} authId */
  const send = async (command, authId = null) => {
    say('Asking …', 'asking');
    try {
      say(toOutcome(command, authId, await postControl(command, authId)), 'done');
      onDone();
    } catch (error) {
      say(error instanceof ApiError ? `${command}: ${error.message} ${error.mend}` : `${command} failed.`, 'failed');
    }
  };

  byId('pause').addEventListener('click', () => void pause());
  const pause = async () => {
    if (isOff('pause')) return say('It is paused already.', 'done');
    const yes = await confirm({ title: 'Pause the service?', text: 'No wallet is made, given or sent to, by any instance, until it is resumed. Sign-ups go on and wait. It stays paused over restarts.', yes: 'Pause' });
    if (yes) await send('pause');
  };
  byId('resume').addEventListener('click', () => (isOff('resume') ? say('It is not paused.', 'done') : void send('resume')));
  byId('resync').addEventListener('click', () => void send('resync'));
  byId('retry').addEventListener('click', () => void send('retry'));
  byId('user-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const input = /** @type {HTMLInputElement} */ (byId('user-id'));
    const command = /** @type {Command} */ (/** @type {HTMLButtonElement | null} */ (/** @type {SubmitEvent} */ (event).submitter)?.value ?? 'resync');
    const isId = isUuid(input.value);
    input.setAttribute('aria-invalid', `${!isId}`);
    if (isId) void send(command, input.value.trim().toLowerCase());
    else say('That is not a user id: it has the form 00000000-0000-0000-0000-000000000000.', 'failed');
  });

  return {
    /** Pause or resume, whichever has no sense now, is shown as off. It stays in the keyboard's way, so that the focus is never lost. @param {boolean} paused */
    paused(paused) {
      byId('pause').setAttribute('aria-disabled', `${paused}`);
      byId('resume').setAttribute('aria-disabled', `${!paused}`);
    },
  };
}

/** @param {string} id */
const isOff = (id) => byId(id).getAttribute('aria-disabled') === 'true';

/** @param {Command} command @param {string | null} authId @param {unknown} answer */
function toOutcome(command, authId, answer) {
  if (command === 'pause') return 'Paused: nothing is made, given or sent until it is resumed.';
  if (command === 'resume') return 'Resumed.';
  if (command === 'resync') return authId === null ? 'A sweep was asked for; it starts within a second, or when the one under way has ended.' : 'This user is looked at.';
  return toRetryOutcome(/** @type {Record<string, unknown>} */ (answer ?? {}));
}

/** @param {Record<string, unknown>} answer */
function toRetryOutcome(answer) {
  const counts = ['accounts', 'users', 'wallets'].flatMap((name) => {
    const value = answer[name];
    const times = Array.isArray(value) ? value.length : typeof value === 'number' ? value : 0;
    return times === 0 ? [] : [plural(times, name.slice(0, -1))];
  });
  if (counts.length > 0) return `Retried ${counts.join(', ')}.`;
  if (answer['retried'] === false && typeof answer['state'] === 'string') return `Nothing to retry: this user is ${answer['state']}.`;
  return answer['retried'] === true ? 'This user is tried again.' : 'Nothing to retry: nothing has failed.';
}
