/**
 * Takes secrets out of text before it is stored: each value that is long enough becomes `***NAME***`, also where it stands as
 * base64, as a URL or in JSON, and whatever looks like an access token `***token***`. A program that wants to print its secret
 * otherwise can; this is against mistakes.
 */

/** A shorter value is a word like any other: masking it would tear the log apart and hide nothing. */
export const maskedFromChars = 4;
/** Of a value with several lines, as a private key has, each line of at least this much is masked too: a log is cut at lines. */
const maskedLineFromChars = 8;
/** Of what is encoded only whole groups are looked for; fewer characters would be found by chance. */
const encodedFromChars = 8;

export interface Mask {
  /** The text with every secret masked. */
  hide(text: string): string;
  /** How many characters at the text's end may be the beginning of a secret, whose rest is still to come. */
  pending(text: string): number;
  /** The longest text that is looked for, in characters. */
  readonly longest: number;
}

export const noMask: Mask = { hide: (text) => text, pending: () => 0, longest: 0 };

/** Access tokens, ours and the hosted service's. Ours are known also within a word, as after `%3D`. */
const tokens = String.raw`hf_wb[0-9a-hjkmnp-tv-z]{32}|\bhf_[A-Za-z0-9]{34}\b`;
const tokenBegins = /(?:hf_wb[0-9a-hjkmnp-tv-z]{0,31}|\b(?:h|hf|hf_[A-Za-z0-9]{0,33}))$/;
const tokenChars = 37;

/** A mask for these values by name, and for access tokens, whoever's they are. */
export function maskOf(secrets: Readonly<Record<string, string>>): Mask {
  const names = new Map<string, string>();
  for (const [name, value] of Object.entries(secrets))
    for (const form of formsOf(value)) if (!names.has(form)) names.set(form, name);
  // The longest first: what holds another one is masked whole.
  const forms = [...names.keys()].sort((a, b) => b.length - a.length);
  const any = new RegExp([...forms.map((form) => RegExp.escape(form)), tokens].join("|"), "g");
  return {
    hide: (text) => text.replace(any, (found) => `***${names.get(found) ?? "token"}***`),
    pending: (text) => {
      const begins = tokenBegins.exec(text)?.[0].length ?? 0;
      const begun = text.length - Math.max(begins, ...forms.map((form) => overlap(text, form)));
      // What is whole already is not torn apart by what may begin within it.
      const torn = [...text.matchAll(any)].find(({ index, 0: found }) => index < begun && index + found.length > begun);
      return text.length - (torn?.index ?? begun);
    },
    longest: Math.max(tokenChars, forms[0]?.length ?? 0),
  };
}

/** How a value may stand in a log. */
function formsOf(value: string): readonly string[] {
  const lines = value.split(/\r?\n/).filter((line) => line.length >= maskedLineFromChars);
  const plain = [value, value.trim(), ...lines].filter((text) => text.length >= maskedFromChars);
  const encoded = [
    ...base64Forms(value),
    ...plain.flatMap((text) => [uriForm(text), JSON.stringify(text).slice(1, -1)]),
  ].filter((text) => text.length >= maskedFromChars);
  return [...new Set([...plain, ...encoded])];
}

/**
 * The characters of base64 that this value alone decides, wherever in the encoded text it begins: it may follow zero, one or two
 * bytes of a group of three. In both alphabets (RFC 4648 §4 and §5).
 */
function base64Forms(value: string): readonly string[] {
  const bytes = Buffer.from(value);
  return [0, 1, 2].flatMap((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes])
      .toString("base64")
      .replace(/=+$/, "");
    const shared = before === 0 ? 0 : before + 1;
    const whole = Math.floor(((before + bytes.length) * 8) / 6);
    const own = text.slice(shared, whole);
    if (own.length < encodedFromChars) return [];
    return [own, own.replaceAll("+", "-").replaceAll("/", "_")];
  });
}

function uriForm(text: string): string {
  // A lone surrogate has no such form.
  return text.isWellFormed() ? encodeURIComponent(text) : text;
}

/** The length of the longest end of `text` that is a beginning of `form`, and not all of it. */
function overlap(text: string, form: string): number {
  for (let length = Math.min(text.length, form.length - 1); length > 0; length--)
    if (text.endsWith(form.slice(0, length))) return length;
  return 0;
}
