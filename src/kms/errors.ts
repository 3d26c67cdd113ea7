import { AppError, type ErrorKind } from '../errors.js';

interface Meaning {
  readonly kind: ErrorKind;
  readonly text: string;
  readonly mend: string;
}

const CREDENTIALS = 'see that AWS credentials are where its client looks: the environment (AWS_ACCESS_KEY_ID …), ~/.aws, or the role of the machine, pod or task';
const usage = (text: string, mend: string): Meaning => ({ kind: 'usage', text, mend });
const busy: Meaning = { kind: 'rate-limit', text: 'is throttled: the quota of requests a second, which the whole AWS account shares, is used up', mend: 'it is tried again by itself; if it recurs, ask AWS for a higher quota' };
const down = (text: string): Meaning => ({ kind: 'network', text, mend: 'it is tried again by itself; see the AWS Health dashboard' });
const denied = usage('denies access', 'let this identity use the key: docs/key-sources.md shows the policy');
const badCredentials = (text: string): Meaning => usage(text, CREDENTIALS);

/** By the error's name, as the API reference of each operation lists them and the client throws them. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  ThrottlingException: busy,
  Throttling: busy,
  TooManyRequestsException: busy,
  RequestLimitExceeded: busy,
  LimitExceededException: busy,
  AccessDeniedException: denied,
  AccessDenied: denied,
  NotFoundException: usage('has no such key', 'correct the key\'s ARN, and see that it is of this region and account'),
  InvalidArnException: usage('does not take the key\'s ARN', 'correct the key\'s ARN'),
  DisabledException: usage('says that the key is disabled', 'enable the key'),
  KMSInvalidStateException: usage('says that the key is not usable in its present state (it is being deleted, or its material is not imported)', 'cancel the deletion or import the material'),
  InvalidKeyUsageException: usage('says that the key is of another use', 'take a symmetric key (ENCRYPT_DECRYPT) for the master key, an ECC key (SIGN_VERIFY) for a funding account'),
  UnsupportedOperationException: usage('cannot do that with this key', 'take a symmetric key for the master key, an ECC key (SIGN_VERIFY) for a funding account'),
  IncorrectKeyException: usage('says that another key wrapped it', 'name the key that `wallet-sync keys generate --kms` was given'),
  InvalidCiphertextException: usage('does not unwrap it: it was changed or cut off, is of another region, or was wrapped for another purpose', 'take the value as `wallet-sync keys generate --kms` printed it'),
  InvalidGrantTokenException: denied,
  UnrecognizedClientException: badCredentials('does not know the access key'),
  InvalidClientTokenId: badCredentials('does not know the access key'),
  InvalidSignatureException: badCredentials('does not take the signature: the secret access key is wrong, or this machine\'s clock'),
  IncompleteSignature: badCredentials('does not take the signature'),
  MissingAuthenticationTokenException: badCredentials('got no credentials'),
  ExpiredTokenException: badCredentials('says that the credentials have expired'),
  RequestExpired: badCredentials('says that the request is too old: see this machine\'s clock'),
  CredentialsProviderError: badCredentials('cannot be asked: there are no AWS credentials'),
  TokenProviderError: badCredentials('cannot be asked: the AWS session has ended'),
  KeyUnavailableException: down('cannot reach the key for now'),
  KMSInternalException: down('has an error of its own'),
  DependencyTimeoutException: down('timed out inside'),
  InternalFailure: down('has an error of its own'),
  ServiceUnavailable: down('is not available'),
  TimeoutError: { kind: 'network', text: 'did not answer in time', mend: 'see that its endpoint can be reached from here' },
};

/** What the system says where no answer came. */
const NO_ANSWER = /^(ECONN|ENOTFOUND|EAI_|EPIPE|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|ERR_SOCKET|CERT_|ERR_TLS|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/;
/** AWS's own sentence says who may not do what on which key. No sentence of its holds a secret. */
const MAX_SENTENCE = 400;

/**
 * What AWS's client threw, as an AppError; `where` names the setting or account it was asked for. The thrown error is not kept as its cause: it can carry
 * the request.
 */
export function toKmsError(thrown: unknown, where: string): AppError {
  if (thrown instanceof AppError) return thrown;
  const { name, message, code, status } = look(thrown);
  const known = Object.hasOwn(MEANINGS, name) ? MEANINGS[name] : undefined;
  if (known !== undefined) {
    const sentence = known === denied && message !== '' ? `: ${message.slice(0, MAX_SENTENCE)}` : '';
    return new AppError(known.kind, `AWS KMS ${known.text} (${name})${sentence}`, { where, mend: known.mend, isTimeout: name === 'TimeoutError' });
  }
  if (NO_ANSWER.test(code)) return new AppError('network', `AWS KMS cannot be reached (${code})`, { where, mend: 'see that its endpoint can be reached from here: a VPC without a way out needs an endpoint of its own' });
  if (/region/i.test(message) && status === 0) return new AppError('usage', 'AWS KMS cannot be asked: no region is set', { where, mend: 'set AWS_REGION, or name the key by its ARN' });
  if (status >= 500) return new AppError('network', `AWS KMS answered with status ${status} (${name})`, { where, mend: down('').mend });
  return new AppError(status >= 400 ? 'usage' : 'internal', `AWS KMS was asked in vain (${name}${status === 0 ? '' : `, status ${status}`})`, { where, mend: 'see docs/key-sources.md' });
}

function look(thrown: unknown): { name: string; message: string; code: string; status: number } {
  const error = (typeof thrown === 'object' && thrown !== null ? thrown : {}) as { name?: unknown; message?: unknown; code?: unknown; $metadata?: { httpStatusCode?: unknown } };
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  const status = error.$metadata?.httpStatusCode;
  return { name: text(error.name) || 'unknown', message: text(error.message), code: text(error.code), status: typeof status === 'number' ? status : 0 };
}
