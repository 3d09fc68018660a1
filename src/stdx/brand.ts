/** Nominal types over plain values: a `DurationMs` cannot be compared with a `GpuMs` by mistake. Casts live where values enter. */
declare const brand: unique symbol;

/** `Base` that only its own makers can produce; costs nothing at run time. */
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };
