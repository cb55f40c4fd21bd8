// Written by flagTypes of seawall/flags from revision 1. Write it again when the flags have changed.

export type AppFlags = {
  readonly "headline": { readonly value: "Ships on time" | "Never lose a parcel" | "Parcels"; readonly variant: "A" | "B" | "off" };
  readonly "new-checkout": { readonly value: boolean; readonly variant: "off" | "on" };
};
