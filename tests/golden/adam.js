function power(x, y) {
  return x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : x ** y;
}

function host(learning_rate, beta1, beta2, eps, t) {
  const sub_1 = 1 - beta1;
  const power_1 = power(beta1, t);
  const sub_2 = 1 - power_1;
  const sub_3 = 1 - beta2;
  const power_2 = power(beta2, t);
  const sub_4 = 1 - power_2;
  return {numbers: [learning_rate, beta1, sub_1, sub_2, beta2, sub_3, sub_4, eps], scalars: []};
}

function element(w, dw, m, v, learning_rate, beta1, sub_1, sub_2, beta2, sub_3, sub_4, eps) {
  const mul_1 = beta1 * m;
  const mul_2 = sub_1 * dw;
  const m_new = mul_1 + mul_2;
  const mt = m_new / sub_2;
  const mul_3 = learning_rate * mt;
  const mul_4 = beta2 * v;
  const mul_5 = dw * dw;
  const mul_6 = sub_3 * mul_5;
  const v_new = mul_4 + mul_6;
  const vt = v_new / sub_4;
  const sqrt_1 = Math.sqrt(vt);
  const add_1 = sqrt_1 + eps;
  const div_1 = mul_3 / add_1;
  const w_new = w - div_1;
  return [w_new, m_new, v_new];
}

function named(w, dw, m, v, learning_rate, beta1, sub_1, sub_2, beta2, sub_3, sub_4, eps) {
  const mul_1 = beta1 * m;
  const mul_2 = sub_1 * dw;
  const m_new = mul_1 + mul_2;
  const mt = m_new / sub_2;
  const mul_3 = learning_rate * mt;
  const mul_4 = beta2 * v;
  const mul_5 = dw * dw;
  const mul_6 = sub_3 * mul_5;
  const v_new = mul_4 + mul_6;
  const vt = v_new / sub_4;
  const sqrt_1 = Math.sqrt(vt);
  const add_1 = sqrt_1 + eps;
  const div_1 = mul_3 / add_1;
  const w_new = w - div_1;
  return [m_new, v_new, mt, vt, w_new];
}

export { element, host, named };
