function power(x, y) {
  return x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : x ** y;
}

function host(learning_rate, beta1, beta2, eps, momentum_decay, product, t) {
  const add_1 = t + 1;
  const mul_1 = add_1 * momentum_decay;
  const power_1 = power(0.96, mul_1);
  const mul_2 = 0.5 * power_1;
  const sub_1 = 1 - mul_2;
  const next_mu = beta1 * sub_1;
  const mul_3 = t * momentum_decay;
  const power_2 = power(0.96, mul_3);
  const mul_4 = 0.5 * power_2;
  const sub_2 = 1 - mul_4;
  const mu = beta1 * sub_2;
  const product_new = product * mu;
  const mul_5 = product_new * next_mu;
  const sub_3 = 1 - mul_5;
  const div_1 = next_mu / sub_3;
  const sub_4 = 1 - beta1;
  const sub_5 = 1 - mu;
  const sub_6 = 1 - product_new;
  const div_2 = sub_5 / sub_6;
  const sub_7 = 1 - beta2;
  const power_3 = power(beta2, t);
  const sub_8 = 1 - power_3;
  return {numbers: [learning_rate, beta1, div_1, sub_4, div_2, beta2, sub_7, sub_8, eps], scalars: [product_new]};
}

function element(w, dw, m, v, learning_rate, beta1, div_1, sub_4, div_2, beta2, sub_7, sub_8, eps) {
  const mul_6 = beta1 * m;
  const mul_7 = sub_4 * dw;
  const m_new = mul_6 + mul_7;
  const mul_8 = div_1 * m_new;
  const mul_9 = div_2 * dw;
  const mt = mul_8 + mul_9;
  const mul_10 = learning_rate * mt;
  const mul_11 = beta2 * v;
  const mul_12 = dw * dw;
  const mul_13 = sub_7 * mul_12;
  const v_new = mul_11 + mul_13;
  const vt = v_new / sub_8;
  const sqrt_1 = Math.sqrt(vt);
  const add_2 = sqrt_1 + eps;
  const div_3 = mul_10 / add_2;
  const w_new = w - div_3;
  return [w_new, m_new, v_new];
}

function named(w, dw, m, v, learning_rate, beta1, div_1, sub_4, div_2, beta2, sub_7, sub_8, eps) {
  const mul_6 = beta1 * m;
  const mul_7 = sub_4 * dw;
  const m_new = mul_6 + mul_7;
  const mul_8 = div_1 * m_new;
  const mul_9 = div_2 * dw;
  const mt = mul_8 + mul_9;
  const mul_10 = learning_rate * mt;
  const mul_11 = beta2 * v;
  const mul_12 = dw * dw;
  const mul_13 = sub_7 * mul_12;
  const v_new = mul_11 + mul_13;
  const vt = v_new / sub_8;
  const sqrt_1 = Math.sqrt(vt);
  const add_2 = sqrt_1 + eps;
  const div_3 = mul_10 / add_2;
  const w_new = w - div_3;
  return [m_new, v_new, mt, vt, w_new];
}

export { element, host, named };
