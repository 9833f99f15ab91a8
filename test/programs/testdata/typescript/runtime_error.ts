const nobody = undefined as unknown as string;
console.log(nobody.length);
