/** The shape of a dictionary: the English one with its literal texts widened. Short lists keep their length. */
export type Wide<T> = {
  [K in keyof T]: T[K] extends string ? string : T[K] extends (...args: infer A) => string ? (...args: A) => string : T[K] extends [unknown, ...unknown[]] ? T[K] : Wide<T[K]>
}
