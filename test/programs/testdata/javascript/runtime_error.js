const nobody = undefined;
console.log(nobody.length);
