// Reads pages of the log for a stream while its reader waits: one at a time, and the reader is woken when it is there.

/** The pages of one stream. */
export interface PageLoader<Page> {
  /** Begins to read a page, unless one is being read. */
  load: (read: () => Promise<Page>) => void;
  isLoading: () => boolean;
  /** Why a page could not be read; undefined while all could. */
  failure: () => unknown;
}

/**
 * Creates the loader of a stream.
 * @param accept gets each page
 * @param wake called after each page, and after a failure
 */
export function createPageLoader<Page>(accept: (page: Page) => void, wake: () => void): PageLoader<Page> {
  let isLoading = false;
  let failure: unknown;
  return {
    load(read) {
      if (isLoading) return;
      isLoading = true;
      read()
        .then(accept, (error: unknown) => {
          failure = error;
        })
        .finally(() => {
          isLoading = false;
          wake();
        });
    },
    isLoading: () => isLoading,
    failure: () => failure,
  };
}
