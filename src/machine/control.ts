/**
 * The control plane: calls from the main thread to a CPU, over Comlink on a MessagePort. Comlink stays behind this
 * file. A call to a CPU that dies would never settle; `CpuLink` rejects what is under way and all later calls.
 */
import type { MessagePort } from 'node:worker_threads';
import { expose, releaseProxy, wrap, type Endpoint, type Remote } from 'comlink';

/** A service as its callers see it: every method gives a promise. */
type RemoteService<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<Awaited<R>>
    : never;
};

/**
 * Node's MessagePort has EventTarget's methods beside EventEmitter's, which is all that Comlink asks of an endpoint.
 */
function endpoint(port: MessagePort): Endpoint {
  return port as unknown as Endpoint;
}

/** Serves calls of `service`'s methods that come in on `port`. */
export function serve(port: MessagePort, service: object): void {
  expose(service, endpoint(port));
}

/** The calling side of one CPU's port. */
export class CpuLink<T extends object> {
  readonly #port: MessagePort;
  readonly #remote: Remote<T>;
  readonly #pending = new Set<(error: Error) => void>();
  #ended: Error | null = null;

  constructor(port: MessagePort) {
    this.#port = port;
    this.#remote = wrap<T>(endpoint(port));
  }

  /** Makes one call. Rejects with what the method throws, or with the error of `end`. */
  call<R>(make: (remote: RemoteService<T>) => Promise<R>): Promise<R> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    return new Promise<R>((resolve, reject) => {
      this.#pending.add(reject);
      make(this.#remote as unknown as RemoteService<T>)
        .then(resolve, reject)
        .finally(() => this.#pending.delete(reject));
    });
  }

  /** Rejects all calls, those under way and later ones, with `error`, and closes the port. */
  end(error: Error): void {
    if (this.#ended !== null) return;
    this.#ended = error;
    for (const reject of this.#pending) reject(error);
    this.#pending.clear();
    this.#remote[releaseProxy]();
    this.#port.close();
  }
}
