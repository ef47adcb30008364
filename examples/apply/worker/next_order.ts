/** As the API has it. */
export interface Order {
  readonly id: number;
  readonly item: string;
  readonly done: boolean;
}

/** The oldest order that is not done yet. */
export function nextOrder(orders: readonly Order[]): Order | undefined {
  return orders.filter(({ done }) => !done).sort((a, b) => a.id - b.id)[0];
}
