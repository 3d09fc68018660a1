/** What is said only when it goes on for a while. */
import { useEffect, useState } from "react";

/** Whether it has been so for that long. */
export function useLate(is: boolean, ms: number): boolean {
  const [isLate, setLate] = useState(false);
  useEffect(() => {
    setLate(false);
    if (!is) return undefined;
    const timer = setTimeout(() => setLate(true), ms);
    return () => clearTimeout(timer);
  }, [is, ms]);
  return isLate;
}
