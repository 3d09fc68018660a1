/** What is said of webhooks, in English. */

export const webhooksEn = {
  webhooks: "Webhooks",
  says: "Addresses that are told what happens: states of Spaces, ends of builds, quotas that are used up.",
  platformSays:
    "Addresses of the platform's own: they are told of incidents, and of what happens to every account and Space.",
  all: "all that happens",
  test: "Try it",
  switchOn: "Switch it on",
  removeAsks: "Nothing more is sent to it, and its log is gone. Go on?",
  offSince: (time: string) => `off since ${time}:`,
  failingSince: (time: string) => `no try since ${time} went well`,
  log: (waiting: string) => `Deliveries (${waiting} wait)`,
  deliveries: "Deliveries",
  states: { waiting: "waits", delivered: "delivered", failed: "failed" },
  tries: (count: number) => (count === 1 ? "1 try" : `${count} tries`),
  again: "Send it again",
  add: "Add a webhook",
  address: "Address, https://",
  description: "What it is for",
  secretOnce: "The secret that signs what is sent. It is shown only now:",
  copySecret: "Copy the secret",
};
