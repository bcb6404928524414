/**
 * When to scan next. Looking at a volume every 10 ms costs several percent of a processor, most of
 * it for waking up. The kernel can tell of writes through this machine to the same file or device
 * (inotify), but not of others (another host's, or such as asynchronous I/O that it does not
 * report). So that news is used as a hint, and believed only while it has proved right:
 *
 *   - it starts a scan at once, at most one a scan interval;
 *   - while every change that is found has been announced, unannounced looks are rare;
 *   - one change that was not, and the volume is scanned at the full rate for a minute;
 *   - a volume on which nothing has changed for 5 s is looked at rarely, too.
 *
 * Time is an argument; times are milliseconds of one monotonic clock.
 */
export const relaxedScanMs = 100;
const quietMs = 5000;
const distrustMs = 60_000;
/**
 * News may come this much later than the change itself is found, or earlier: a scan that looks in
 * the wrong place comes between.
 */
const newsGraceMs = 40;

export class Pace {
  private readonly scanMs: number;
  private newsMs = -Infinity;
  private foundMs: number;
  private lastScanMs = -Infinity;
  /** A change that was found and not announced so far. */
  private doubtMs: number | null = null;
  private distrustUntilMs = -Infinity;
  private proven = false;

  constructor(scanMs: number, nowMs: number) {
    this.scanMs = scanMs;
    this.foundMs = nowMs;
  }

  /** The kernel says that somebody wrote. */
  news(nowMs: number): void {
    this.newsMs = nowMs;
    if (this.doubtMs !== null && nowMs - this.doubtMs <= newsGraceMs) {
      this.doubtMs = null;
      this.proven = true;
    }
  }

  /** A scan that began then has ended. */
  scanned(beganMs: number, hasFound: boolean): void {
    if (hasFound) {
      const isAnnounced = this.newsMs >= this.lastScanMs - newsGraceMs;
      if (isAnnounced) this.proven = true;
      else this.doubtMs ??= beganMs;
      this.foundMs = beganMs;
    }
    this.lastScanMs = beganMs;
  }

  /** Whether there is news that no scan has looked into. */
  get hasNews(): boolean {
    return this.newsMs >= this.lastScanMs;
  }

  /** News that no change found lately explains: somebody wrote where no scan has looked. */
  get hasUnexplainedNews(): boolean {
    return this.hasNews && this.newsMs - this.foundMs > newsGraceMs;
  }

  isQuiet(nowMs: number): boolean {
    return nowMs - this.foundMs > quietMs;
  }

  isTrusted(nowMs: number): boolean {
    if (this.doubtMs !== null && nowMs - this.doubtMs > newsGraceMs) {
      this.doubtMs = null;
      this.proven = false;
      this.distrustUntilMs = nowMs + distrustMs;
    }
    return this.proven && nowMs >= this.distrustUntilMs;
  }

  /** When the next scan is to begin. */
  nextMs(nowMs: number): number {
    const soonMs = this.lastScanMs + this.scanMs;
    if (this.hasNews) return soonMs;
    const isRelaxed = this.isTrusted(nowMs) || this.isQuiet(nowMs);
    return isRelaxed ? Math.max(soonMs, this.lastScanMs + relaxedScanMs) : soonMs;
  }
}
