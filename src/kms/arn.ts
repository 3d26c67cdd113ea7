/** A key's or an alias's Amazon resource name, whole: a bare id says neither region nor account. */
const ARN = /^arn:aws(?:-[a-z]+)*:kms:([a-z]{2}(?:-[a-z]+)+-\d{1,2}):\d{12}:(?:key\/[A-Za-z0-9-]{1,64}|alias\/[A-Za-z0-9/_-]{1,250})$/;

/** What an ARN looks like, for errors. */
export const ARN_EXAMPLE = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';

/** The region that the ARN of a KMS key (or alias) names; null where the text is no such ARN. */
export function regionOfArn(arn: string): string | null {
  return ARN.exec(arn)?.[1] ?? null;
}
