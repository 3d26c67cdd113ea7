import { InvalidArgumentError } from 'commander';

/** An option's parser: whole numbers of a range, and commander's error for anything else. */
export const wholeNumber = (min: number, max: number) => (text: string): number => {
  if (!/^\d{1,9}$/.test(text) || Number(text) < min || Number(text) > max) throw new InvalidArgumentError(`Must be a whole number from ${min} to ${max}.`);
  return Number(text);
};
