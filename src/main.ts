console.log("mirrorbeat");
