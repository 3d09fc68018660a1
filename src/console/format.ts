/** Times and amounts as the reader's language writes them: local time, seconds with as many digits as say something. */
import { directionOf } from "./words/language.ts";

export class Format {
  readonly #clock: Intl.DateTimeFormat;
  readonly #exact: Intl.DateTimeFormat;
  readonly #day: Intl.DateTimeFormat;
  readonly #date: Intl.DateTimeFormat;
  readonly #number: Intl.NumberFormat;
  readonly #tenths: Intl.NumberFormat;
  readonly #percent: Intl.NumberFormat;
  readonly #isFromTheRight: boolean;

  /** `zone`: the reader's own where it is not said. */
  constructor(locale: string, zone?: string) {
    const at = { hourCycle: "h23", ...(zone !== undefined && { timeZone: zone }) } as const;
    this.#clock = new Intl.DateTimeFormat(locale, { ...at, hour: "2-digit", minute: "2-digit" });
    this.#exact = new Intl.DateTimeFormat(locale, {
      ...at,
      ...({ hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 } as const),
    });
    this.#day = new Intl.DateTimeFormat(locale, {
      ...at,
      day: "numeric",
      month: "short",
      hour: "2-digit",
      minute: "2-digit",
    });
    const zoned = zone === undefined ? {} : { timeZone: zone };
    this.#date = new Intl.DateTimeFormat(locale, { ...zoned, dateStyle: "medium" });
    this.#percent = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 });
    this.#isFromTheRight = directionOf(locale) === "rtl";
    this.#number = new Intl.NumberFormat(locale);
    this.#tenths = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
  }

  /** The minute: of today alone without its day. */
  moment(at: string | number, now: number): string {
    const time = new Date(at);
    return Math.abs(now - time.getTime()) < 12 * 3_600_000 ? this.#clock.format(time) : this.#day.format(time);
  }

  /** To the millisecond, as entries have it. */
  exact(at: string): string {
    return this.#exact.format(new Date(at));
  }

  number(value: number): string {
    return this.#number.format(value);
  }

  /** The day, with its year. */
  day(at: string): string {
    return this.#date.format(new Date(at));
  }

  /** A part of one; what is not nothing does not read as nothing. */
  percent(share: number): string {
    return share > 0 && share < 0.001 ? `< ${this.#percent.format(0.001)}` : this.#percent.format(share);
  }

  /** Milliseconds as seconds. */
  seconds(ms: number): string {
    return this.#unit(this.#tenths.format(ms / 1000), "s");
  }

  /** Milliseconds as hours where they are whole ones, else as seconds. */
  hours(ms: number): string {
    return ms > 0 && ms % 3_600_000 === 0 ? this.#unit(this.#number.format(ms / 3_600_000), "h") : this.seconds(ms);
  }

  /** Milliseconds below a second, else as seconds. */
  short(ms: number): string {
    return ms < 1_000 ? this.#unit(this.#number.format(Math.round(ms)), "ms") : this.seconds(ms);
  }

  /** In a line from right to left too the sign of a unit stands behind its number (Unicode Bidirectional Algorithm, LRI and PDI). */
  #unit(number: string, sign: string): string {
    return this.#isFromTheRight ? `\u2066${number} ${sign}\u2069` : `${number} ${sign}`;
  }
}
